"""Tools as the orchestrator sees them: what may be called, and how a call ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where calls of tools come from: the tool executor narrows them to what agent and channel may use.

    Empty where there is none: no agent has a name yet, and the channel is the question's.
    """

    conversation_id: str = ""
    run_id: str = ""
    agent: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that is enabled for the organisation, and that its policies let the caller use.

    `timeout_s` is the longest time a call may take; `examples` are questions that it answers.
    """

    name: str
    description: str
    input_json_schema: str
    timeout_s: float
    examples: tuple[str, ...] = ()


ANYWHERE = Origin()
"""Of nobody in particular."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored file that a call left; `size_bytes` is its size."""

    artifact_id: str
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """How a call ended: data for the model, never instructions. `output_json` is empty unless it went well."""

    ok: bool
    output_json: str
    summary: str
    error_reason: str = ""
    duration_ms: int = 0
    artifacts: tuple[Artifact, ...] = ()


_ARTIFACTS_TOLD = 20


def told_artifacts(artifacts: Sequence[Artifact]) -> str:
    """Return what a call left in one line for models and people; empty for nothing."""
    if not artifacts:
        return ""
    told = [
        f"{each.name} ({each.media_type}, {each.size_bytes} bytes, artifact {each.artifact_id})"
        for each in artifacts[:_ARTIFACTS_TOLD]
    ]
    more = [f"and {len(artifacts) - _ARTIFACTS_TOLD} more"] if len(artifacts) > _ARTIFACTS_TOLD else []
    return f"Files: {', '.join([*told, *more])}"
