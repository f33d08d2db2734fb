"""The run table and the event log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.events import Ending, NewEvent, RunEvent
from orchestrator.domain.pages import Page, PageRequest
from orchestrator.domain.run import NewRun, Run, RunTicket


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run that is stored; `created` is false when the same request had been accepted before."""

    run: Run
    created: bool


class RunStore(Protocol):
    """Keeps runs and their events. Each method is one transaction; none leaves a run without its events."""

    async def accept(self, new: NewRun) -> Accepted:
        """Store a run, its first event and the user's message, and the conversation when it is a new one.

        It is routed as it asks and as earlier runs of its conversation are (`with_history`). Idempotent by
        (organisation, user, request id).

        Raises:
            InvalidInput: RESIDENCY_CONFLICT.
            NotFound: CONVERSATION_NOT_FOUND, also for somebody else's.
            AlreadyExists: REQUEST_ID_REUSED when the first request with this id asked something else.
        """
        ...

    async def get(self, org_id: str, run_id: str) -> Run:
        """Return a run.

        Raises:
            NotFound: RUN_NOT_FOUND, also for another organisation's.
        """
        ...

    async def page(self, org_id: str, page: PageRequest, conversation_id: str = "") -> Page[Run]:
        """Return an organisation's runs, newest first; of one conversation when it is given.

        Questions and answers are cut to `MOST_LISTED_CHARS`.
        """
        ...

    async def begin(self, org_id: str, run_id: str, now: datetime) -> Run:
        """Start an attempt at a run that has not ended and return the run as it is then.

        Raises:
            NotFound: RUN_NOT_FOUND.
            PreconditionFailed: RUN_TRANSITION_INVALID when the run has ended.
        """
        ...

    async def release(self, run: Run) -> None:
        """Note that this attempt gave the run up in an orderly way, so that the next does not count a crash."""
        ...

    async def append(self, run: Run, new: Sequence[NewEvent]) -> int:
        """Add events to the log and their usage and tool calls to the run; return the newest sequence.

        Raises:
            PreconditionFailed: RUN_FENCED when the run has ended or another attempt has begun.
        """
        ...

    async def end(self, run: Run, new: Sequence[NewEvent], ending: Ending, now: datetime) -> Run:
        """Add events and the terminal one, set the final status and keep the answer as a message.

        Raises:
            PreconditionFailed: RUN_TRANSITION_INVALID when the run has ended, RUN_FENCED when another attempt has
                begun.
        """
        ...

    async def events(self, org_id: str, run_id: str, after_sequence: int, limit: int) -> list[RunEvent]:
        """Return at most `limit` events with a higher sequence, in order; none for an unknown run."""
        ...

    async def unfinished(self) -> list[RunTicket]:
        """Return the runs of all organisations that have not ended, oldest first. For recovery only."""
        ...
