"""Why a run fails: the closed set of reasons of the orchestrator.

A failure of a model call keeps the reason that the provider router gave it (PROVIDER_..., MODEL_..., UPSTREAM_...);
every other reason of a failed run is one of these.
"""

from __future__ import annotations

from enum import StrEnum

from orchestrator.domain.run import Failure


class FailureReason(StrEnum):
    """The orchestrator's own reasons."""

    LIMIT_STEPS = "LIMIT_STEPS"
    LIMIT_TOOL_CALLS = "LIMIT_TOOL_CALLS"
    TIMEOUT = "TIMEOUT"
    CONTEXT_TOO_LONG = "CONTEXT_TOO_LONG"
    CONTENT_FILTERED = "CONTENT_FILTERED"
    EMPTY_ANSWER = "EMPTY_ANSWER"
    NO_CHAT_MODEL = "NO_CHAT_MODEL"
    CRASHED_REPEATEDLY = "CRASHED_REPEATEDLY"
    INTERNAL = "INTERNAL"


class RunFailure(Exception):
    """Ends the run as failed. It is stored on the run and never leaves as an RPC error."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.failure = Failure(str(reason), message)


def limit_steps(max_steps: int) -> RunFailure:
    """Return the failure of a run that asked the model too often."""
    return RunFailure(
        FailureReason.LIMIT_STEPS,
        f"No answer after {max_steps} model calls, the limit of this run. Ask for less at once, or raise "
        "limits.max_steps (or the setting agent.max_steps).",
    )


def limit_tool_calls(max_tool_calls: int) -> RunFailure:
    """Return the failure of a run that wanted more tool calls than it may make."""
    return RunFailure(
        FailureReason.LIMIT_TOOL_CALLS,
        f"The model asked for more than {max_tool_calls} tool calls, the limit of this run. Ask for less at once, "
        "or raise limits.max_tool_calls (or the setting agent.max_tool_calls).",
    )


def timed_out(timeout_s: float) -> RunFailure:
    """Return the failure of a run that took too long."""
    return RunFailure(
        FailureReason.TIMEOUT,
        f"Not done within {timeout_s:g} seconds, the limit of this run. Ask for less, choose a faster model, or "
        "raise limits.timeout (or the setting agent.timeout_s).",
    )


def context_too_long(needed_tokens: int, room_tokens: int, model: str) -> RunFailure:
    """Return the failure of a run whose question does not fit into the model's context."""
    return RunFailure(
        FailureReason.CONTEXT_TOO_LONG,
        f"The question has about {needed_tokens} tokens; {model} has room for {room_tokens}. Shorten it, or choose "
        "a model with a longer context.",
    )


def crashed_repeatedly(attempts: int) -> Failure:
    """Return the failure of a run during which the process died again and again."""
    return Failure(
        FailureReason.CRASHED_REPEATEDLY,
        f"The orchestrator died {attempts} times while it worked on this run, so it is not tried again. Ask again; "
        "if it recurs, the orchestrator's log says why.",
    )


def internal_failure(run_id: str) -> Failure:
    """Return the failure of a run that met a defect of Nexus. The log has it under the run's id."""
    return Failure(
        FailureReason.INTERNAL, f"A defect of Nexus ended this run. The orchestrator's log has it under run {run_id}."
    )


class LogUnwritable(Exception):
    """The event log cannot be written, so the work stops where it is and is taken up again later."""
