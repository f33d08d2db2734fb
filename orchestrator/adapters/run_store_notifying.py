"""A run store that wakes watchers when the log has grown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.domain.events import Ending, NewEvent, RunEvent
from orchestrator.domain.pages import Page, PageRequest
from orchestrator.domain.run import NewRun, Run, RunTicket
from orchestrator.ports.run_signal import RunSignal
from orchestrator.ports.run_store import Accepted, RunStore


class NotifyingRunStore:
    """Decorates a `RunStore`: after a transaction that adds events has been committed, it notifies."""

    def __init__(self, store: RunStore, signal: RunSignal) -> None:
        self._store = store
        self._signal = signal

    async def accept(self, new: NewRun) -> Accepted:
        """See `RunStore.accept`. Nobody can watch a run before it is accepted."""
        return await self._store.accept(new)

    async def get(self, org_id: str, run_id: str) -> Run:
        """See `RunStore.get`."""
        return await self._store.get(org_id, run_id)

    async def page(self, org_id: str, page: PageRequest, conversation_id: str = "") -> Page[Run]:
        """See `RunStore.page`."""
        return await self._store.page(org_id, page, conversation_id)

    async def begin(self, org_id: str, run_id: str, now: datetime) -> Run:
        """See `RunStore.begin`."""
        return await self._store.begin(org_id, run_id, now)

    async def release(self, run: Run) -> None:
        """See `RunStore.release`."""
        await self._store.release(run)

    async def append(self, run: Run, new: Sequence[NewEvent]) -> int:
        """See `RunStore.append`."""
        newest = await self._store.append(run, new)
        self._signal.notify(run.run_id)
        return newest

    async def end(self, run: Run, new: Sequence[NewEvent], ending: Ending, now: datetime) -> Run:
        """See `RunStore.end`."""
        ended = await self._store.end(run, new, ending, now)
        self._signal.notify(run.run_id)
        return ended

    async def events(self, org_id: str, run_id: str, after_sequence: int, limit: int) -> list[RunEvent]:
        """See `RunStore.events`."""
        return await self._store.events(org_id, run_id, after_sequence, limit)

    async def unfinished(self) -> list[RunTicket]:
        """See `RunStore.unfinished`."""
        return await self._store.unfinished()
