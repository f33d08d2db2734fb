"""How a tool's call ended."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.mcp_server.domain.artifact import Artifact


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool said: data for a model, an error included.

    Attributes:
        is_ok: Whether it worked.
        output_json: The output; of a failed call what there still is of it.
        summary: The output, or the error with what to change, in a few words.
        reason: Of the error, for programs.
        is_cut: Whether the output was cut to the size limit.
        artifacts: What the call left.
    """

    is_ok: bool
    output_json: str
    summary: str
    reason: str
    is_cut: bool
    artifacts: tuple[Artifact, ...]
