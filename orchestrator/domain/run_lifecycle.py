"""The state machine of a run: which changes of status there are, as pure functions over `Run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from orchestrator.domain.events import (
    Ending,
    Payload,
    RunFailed,
    RunFinished,
    ToolCallFinished,
    UsageReported,
    final_status,
    usage_of,
)
from orchestrator.domain.run import NewRun, Run, RunStatus, ToolCallSummary
from shared.errors import PreconditionFailed

_NEXT: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.PENDING: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.FAILED}),
    RunStatus.RUNNING: frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
}


def next_statuses(status: RunStatus) -> frozenset[RunStatus]:
    """Return the statuses that may follow `status`."""
    return _NEXT[status]


def check_transition(status: RunStatus, target: RunStatus) -> None:
    """Refuse a change of status that the machine does not have.

    Raises:
        PreconditionFailed: RUN_TRANSITION_INVALID, with the list of valid ones.
    """
    if target not in _NEXT[status]:
        valid = ", ".join(sorted(_NEXT[status])) or "none, it has ended"
        raise PreconditionFailed(
            "RUN_TRANSITION_INVALID",
            f"A run that is {status} cannot become {target}. Valid: {valid}.",
            metadata={"from": status, "to": target},
        )


def accepted(new: NewRun, conversation_id: str) -> Run:
    """Return the run as it is when it has been accepted: waiting, its first event written."""
    return Run(
        run_id=new.run_id,
        conversation_id=conversation_id,
        principal=new.principal,
        question=new.question,
        requested_model=new.model,
        limits=new.limits,
        status=RunStatus.PENDING,
        created_at=new.created_at,
        last_sequence=1,
        routing=new.routing,
        channel=new.channel,
    )


def begin_attempt(run: Run, now: datetime, *, released: bool) -> Run:
    """Return the run as it is when an attempt at it begins.

    `released` says that the attempt before gave the run up in an orderly way; otherwise it died and counts as a
    crash. `started_at` is that of the first attempt.

    Raises:
        PreconditionFailed: RUN_TRANSITION_INVALID when the run has ended.
    """
    if run.status is RunStatus.PENDING:
        return replace(run, status=RunStatus.RUNNING, started_at=now, attempt=run.attempt + 1)
    if run.status is not RunStatus.RUNNING:
        check_transition(run.status, RunStatus.RUNNING)
    return replace(run, attempt=run.attempt + 1, crashes=run.crashes + (0 if released else 1))


def end(run: Run, ending: Ending, now: datetime) -> Run:
    """Return the run as it is when it has ended. Its model is the one that answered, or else the one that was chosen.

    Raises:
        PreconditionFailed: RUN_TRANSITION_INVALID when the run has ended before, or cannot end so.
    """
    status = final_status(ending)
    check_transition(run.status, status)
    failure = ending.failure if isinstance(ending, RunFailed) else None
    model = run.model or (ending.model if isinstance(ending, RunFinished) else "")
    return replace(run, status=status, answer=ending.answer, failure=failure, model=model, ended_at=now)


def grown(run: Run, payloads: Sequence[Payload]) -> Run:
    """Return the run with what these events add: sequence, usage, the model that answered, ended tool calls."""
    models = [payload.model for payload in payloads if isinstance(payload, UsageReported)]
    return replace(
        run,
        last_sequence=run.last_sequence + len(payloads),
        usage=run.usage.plus(usage_of(payloads)),
        model=models[-1] if models else run.model,
        tool_calls=(*run.tool_calls, *summaries_of(payloads)),
    )


def summaries_of(payloads: Sequence[Payload]) -> tuple[ToolCallSummary, ...]:
    """Return the tool calls that ended in these events, in their order."""
    return tuple(
        ToolCallSummary(
            payload.tool_call_id, payload.tool, payload.arguments_json, payload.ok, payload.summary, payload.artifacts
        )
        for payload in payloads
        if isinstance(payload, ToolCallFinished)
    )


def check_fence(run: Run, attempt: int) -> None:
    """Refuse a write by an attempt that is no longer the one at work.

    Raises:
        PreconditionFailed: RUN_FENCED.
    """
    if run.status is not RunStatus.RUNNING or run.attempt != attempt:
        raise fenced(run.run_id)


def fenced(run_id: str) -> PreconditionFailed:
    """Return the refusal of a write by an attempt that is no longer the one at work."""
    return PreconditionFailed("RUN_FENCED", f"Run {run_id} has ended, or another attempt at it has begun.")


def conversation_busy(conversation_id: str) -> PreconditionFailed:
    """Return the refusal to delete a conversation that is being worked on."""
    return PreconditionFailed(
        "CONVERSATION_BUSY",
        "A run of this conversation has not ended. Cancel it or wait for it, then delete.",
        metadata={"conversation_id": conversation_id},
    )
