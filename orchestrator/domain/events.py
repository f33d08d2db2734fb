"""Events: what happened in a run, in order. The log of them is append-only and the only source for watchers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.domain.chat import CacheHit, ChatCompleted, ChatStarted
from orchestrator.domain.run import Failure, RunStatus, Usage
from orchestrator.domain.tools import Artifact


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run was accepted; always the first event."""

    conversation_id: str
    question: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A node of the graph began; `attempt` is more than 1 after a restart."""

    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class TokenDelta:
    """More text of the answer, to append."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerReset:
    """The text of the answer so far is void."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """A tool call began; arguments are one JSON object."""

    tool_call_id: str
    tool: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class ToolCallFinished:
    """A tool call ended; `output_json` is empty when it failed, `artifacts` is what it left."""

    tool_call_id: str
    tool: str
    arguments_json: str
    ok: bool
    output_json: str
    summary: str
    duration_ms: int
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageReported:
    """A model call was paid for, or answered from the cache.

    `cost_unknown` says that nobody knows the whole of its cost; what is known of it is in `cost_micro_usd`.
    """

    model: str
    input_tokens: int
    output_tokens: int
    cost_micro_usd: int
    cost_unknown: bool = False
    cache_hit: CacheHit | None = None


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know that does not end the run."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Terminal: the run has an answer. `model` was chosen for the run, whether or not it was asked."""

    answer: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """Terminal: the run failed; what it had of an answer is kept in `answer`."""

    failure: Failure
    answer: str = ""


@dataclass(frozen=True, slots=True)
class RunCancelled:
    """Terminal: `user_id` cancelled the run; what it had of an answer is kept in `answer`."""

    user_id: str
    answer: str = ""


Ending = RunFinished | RunFailed | RunCancelled
"""The last event of a run."""

Progress = StepStarted | TokenDelta | AnswerReset | ToolCallStarted | ToolCallFinished | UsageReported | Warned
"""What happens between the first and the last event."""

Payload = RunStarted | Progress | Ending


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One thing that happened in a run; sequences are 1, 2, 3, ... without gaps."""

    run_id: str
    sequence: int
    created_at: datetime
    payload: Payload

    @property
    def terminal(self) -> bool:
        """Whether no event follows."""
        return isinstance(self.payload, RunFinished | RunFailed | RunCancelled)


def final_status(ending: Ending) -> RunStatus:
    """Return the status that a run has after its last event."""
    if isinstance(ending, RunFinished):
        return RunStatus.COMPLETED
    return RunStatus.FAILED if isinstance(ending, RunFailed) else RunStatus.CANCELLED


def usage_reported(started: ChatStarted, completed: ChatCompleted) -> UsageReported:
    """Return the event of a model call that ended."""
    return UsageReported(
        started.model,
        completed.input_tokens,
        completed.output_tokens,
        completed.cost_micro_usd,
        completed.cost_unknown,
        started.cache_hit,
    )


def usage_of(payloads: Iterable[Payload]) -> Usage:
    """Return what the events add to a run's usage."""
    total = Usage()
    for payload in payloads:
        if isinstance(payload, UsageReported):
            total = total.plus(
                Usage(
                    payload.input_tokens,
                    payload.output_tokens,
                    payload.cost_micro_usd,
                    model_calls=1,
                    cost_unknown=int(payload.cost_unknown),
                )
            )
        elif isinstance(payload, ToolCallFinished):
            total = total.plus(Usage(tool_calls=1))
    return total


def streamed_text(payloads: Iterable[Payload]) -> str:
    """Return the text that a watcher has put together: all deltas since the last reset."""
    parts: list[str] = []
    for payload in payloads:
        if isinstance(payload, TokenDelta):
            parts.append(payload.text)
        elif isinstance(payload, AnswerReset):
            parts.clear()
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened and has no number yet."""

    created_at: datetime
    payload: Progress
