"""A call of a tool and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shared.auth.principal import Principal


class ToolStatus(Enum):
    """How a tool call ended."""

    OK = "ok"
    INVALID_ARGUMENTS = "invalid_arguments"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class CallOrigin:
    """What a call is part of; every field is empty where there is none.

    Args:
        agent: the agent that calls, whose scope narrows the tools.
        channel: the channel that it works for, whose scope narrows them too.
        conversation_id: what tools that keep something between calls keep it for.
        run_id: the run, noted on artifacts.
    """

    agent: str = ""
    channel: str = ""
    conversation_id: str = ""
    run_id: str = ""


NOWHERE = CallOrigin()
"""Of a call that is part of nothing."""


@dataclass(frozen=True, slots=True)
class ArtifactHandle:
    """Names a stored file that a call left.

    Args:
        artifact_id: UUIDv7.
        name: a file name.
        media_type: for example `image/png`.
        size_bytes: its size.
    """

    artifact_id: str
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CallContext:
    """On whose behalf and within which limits a tool runs.

    Args:
        principal: the caller.
        time_zone: a known IANA zone, in which the caller means days and times.
        timeout_s: seconds that this call may take.
        request_id: the caller's idempotency key; empty for none.
        origin: what the call is part of.
        dry_run: whether to tell what the call would do, and do nothing.
        permitted_by: names of the policies that let it through.
    """

    principal: Principal
    time_zone: str
    timeout_s: float
    request_id: str
    origin: CallOrigin = NOWHERE
    dry_run: bool = False
    permitted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives back when it worked.

    Args:
        value: fits the tool's output schema.
        summary: the same in a few words, for the model and for people.
        artifacts: files that the call left.
    """

    value: Mapping[str, object]
    summary: str
    artifacts: tuple[ArtifactHandle, ...] = ()


class ToolFailure(Exception):
    """A tool did not do what it was asked; the model reads why and what to change.

    Args:
        reason: UPPER_SNAKE_CASE, stable.
        summary: what happened and what to change, in a few words, nothing of the inside.
        status: INVALID_ARGUMENTS, ERROR or TIMEOUT.
        value: what the tool can still give, for example what a program printed before it failed.
        artifacts: files that the call left all the same.
        broken: whether the tool itself is to blame (it crashed, hung, or what it stands on is away), and neither its
            caller nor a program that it ran.
    """

    def __init__(
        self,
        reason: str,
        summary: str,
        *,
        status: ToolStatus = ToolStatus.ERROR,
        value: Mapping[str, object] | None = None,
        artifacts: tuple[ArtifactHandle, ...] = (),
        broken: bool = False,
    ) -> None:
        super().__init__(f"{reason}: {summary}")
        self.reason = reason
        self.summary = summary
        self.status = status
        self.value = value
        self.artifacts = artifacts
        self.broken = broken


def invalid_arguments(reason: str, summary: str) -> ToolFailure:
    """Return the failure of a call whose arguments do not fit; the tool has done nothing."""
    return ToolFailure(reason, summary, status=ToolStatus.INVALID_ARGUMENTS)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """How a call ended, as the caller gets it: data, never instructions.

    Args:
        status: how it ended.
        output_json: the output as JSON; empty when there is none.
        summary: the output or the error in a few words.
        error_reason: UPPER_SNAKE_CASE; empty when the status is OK.
        truncated: whether output or summary was cut to the size limit.
        duration_s: how long it took.
        artifacts: what it left.
    """

    status: ToolStatus
    output_json: str
    summary: str
    error_reason: str
    truncated: bool
    duration_s: float
    artifacts: tuple[ArtifactHandle, ...] = ()


def effect_unknown(tool: str) -> ToolResult:
    """Return the result of a call that was cut off before anybody noted how it ended, and is not done again."""
    return ToolResult(
        ToolStatus.ERROR,
        "",
        f"A call of the tool {tool!r} under this request id was begun and cut off, so it is not known whether it had "
        "its effect. Look whether it did; to do it again, use a new request id.",
        "EFFECT_UNKNOWN",
        truncated=False,
        duration_s=0.0,
    )
