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
class CallContext:
    """On whose behalf and within which limits a tool runs.

    Args:
        principal: the caller.
        time_zone: a known IANA zone, in which the caller means days and times.
        timeout_s: seconds that this call may take.
        request_id: the caller's idempotency key; empty for none.
    """

    principal: Principal
    time_zone: str
    timeout_s: float
    request_id: str


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a tool gives back when it worked.

    Args:
        value: fits the tool's output schema.
        summary: the same in a few words, for the model and for people.
    """

    value: Mapping[str, object]
    summary: str


class ToolFailure(Exception):
    """A tool did not do what it was asked; the model reads why and what to change.

    Args:
        reason: UPPER_SNAKE_CASE, stable.
        summary: what happened and what to change, in a few words, nothing of the inside.
        status: INVALID_ARGUMENTS, ERROR or TIMEOUT.
        value: what the tool can still give, for example what a program printed before it failed.
    """

    def __init__(
        self,
        reason: str,
        summary: str,
        *,
        status: ToolStatus = ToolStatus.ERROR,
        value: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{reason}: {summary}")
        self.reason = reason
        self.summary = summary
        self.status = status
        self.value = value


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
    """

    status: ToolStatus
    output_json: str
    summary: str
    error_reason: str
    truncated: bool
    duration_s: float
