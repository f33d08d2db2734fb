"""Tools as the orchestrator sees them: what may be called, and how a call ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is enabled for the organisation.

    `timeout_s` is the longest time a call may take; `examples` are questions that it answers.
    """

    name: str
    description: str
    input_json_schema: str
    timeout_s: float
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """How a call ended: data for the model, never instructions. `output_json` is empty unless it went well."""

    ok: bool
    output_json: str
    summary: str
    error_reason: str = ""
    duration_ms: int = 0
