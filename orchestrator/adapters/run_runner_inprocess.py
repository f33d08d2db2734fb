"""Runs in this process: a line for each conversation, a limit on how many at once, recovery from the store."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from orchestrator.domain.errors import LogUnwritable, internal_failure
from orchestrator.domain.run import Failure, Run, RunTicket
from orchestrator.ports.run_store import RunStore
from shared.auth.context import acting_as
from shared.errors import NexusError, PreconditionFailed, QuotaExceeded, UpstreamDown
from shared.telemetry.logging import get_logger

Drive = Callable[[str, str], Awaitable[None]]
"""Works on the run with this organisation and id until it has ended."""

End = Callable[[str, str, Failure | str], Awaitable[Run]]
"""Ends a run that nobody works on, as failed or as cancelled by a user."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunnerLimits:
    """How much happens at once, how much may wait, and how often the store is searched for forgotten runs."""

    concurrent: int = 32
    waiting: int = 1000
    sweep_s: float = 5.0


@dataclass(slots=True)
class _Entry:
    run: RunTicket
    context: contextvars.Context
    work: asyncio.Task[None] | None = None
    cancelled_by: str = ""
    done: asyncio.Event = field(default_factory=asyncio.Event)


class InProcessRunner:
    """`RunRunner` that owns its tasks: one a conversation with work, one a run at work.

    A run is in the store before it comes here, so a lost process loses nothing: `start` and `sweep` take up what has
    not ended.
    """

    def __init__(self, store: RunStore, drive: Drive, end: End, limits: RunnerLimits | None = None) -> None:
        self._store = store
        self._drive = drive
        self._end = end
        self._limits = limits or RunnerLimits()
        self._slots = asyncio.Semaphore(self._limits.concurrent)
        self._entries: dict[str, _Entry] = {}
        self._lines: dict[str, deque[_Entry]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    async def recover(self) -> list[RunTicket]:
        """Take up all runs of the store that have not ended and are not known; return all that have not ended."""
        unfinished = await self._store.unfinished()
        for run in unfinished:
            self.submit(run)
        return unfinished

    async def sweep(self) -> None:
        """Recover again and again; for runs that were given up because the storage failed. Runs until cancelled."""
        while True:
            await asyncio.sleep(self._limits.sweep_s)
            try:
                await self.recover()
            except NexusError as error:
                log.warning("run_sweep_failed", reason=error.reason)

    async def stop(self) -> None:
        """Stop all work. Runs that have not ended stay so and are taken up at the next start. Idempotent."""
        self._stopping = True
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        if workers:
            await asyncio.wait(workers)

    def check_room(self) -> None:
        """See `RunRunner.check_room`."""
        if self._stopping:
            raise UpstreamDown(
                "STOPPING", "The orchestrator is being stopped. Ask again in a moment.", retry_after_s=2.0
            )
        if len(self._entries) >= self._limits.waiting + self._limits.concurrent:
            raise QuotaExceeded(
                "TOO_MANY_RUNS",
                f"{len(self._entries)} runs are waiting already. Try again in a moment.",
                retry_after_s=2.0,
            )

    def submit(self, run: RunTicket) -> None:
        """See `RunRunner.submit`."""
        if self._stopping or run.run_id in self._entries:
            return
        entry = _Entry(run, contextvars.copy_context())
        self._entries[run.run_id] = entry
        line = self._lines.setdefault(run.conversation_id, deque())
        line.append(entry)
        if run.conversation_id not in self._workers:
            self._workers[run.conversation_id] = asyncio.create_task(
                self._work_off(run.conversation_id, line), name=f"conversation:{run.conversation_id}"
            )

    async def cancel(self, run: RunTicket, user_id: str) -> None:
        """See `RunRunner.cancel`."""
        entry = self._entries.get(run.run_id)
        if entry is None:
            await self._end(run.org_id, run.run_id, user_id)
            return
        entry.cancelled_by = entry.cancelled_by or user_id
        if entry.work is None:
            ended = await self._end(run.org_id, run.run_id, user_id)
            if ended.status.final:
                return
        # The work may have begun in the meantime.
        if entry.work is not None:
            entry.work.cancel()
        await entry.done.wait()

    async def _work_off(self, conversation_id: str, line: deque[_Entry]) -> None:
        try:
            while line:
                entry = line[0]
                try:
                    if not entry.cancelled_by:
                        async with self._slots:
                            await self._one(entry)
                finally:
                    line.popleft()
                    del self._entries[entry.run.run_id]
                    entry.done.set()
        finally:
            for entry in line:
                del self._entries[entry.run.run_id]
                entry.done.set()
            del self._workers[conversation_id], self._lines[conversation_id]

    async def _one(self, entry: _Entry) -> None:
        """Work on one run in a task of its own, and see to its end whatever that task does."""
        run = entry.run
        entry.work = asyncio.create_task(self._act(run), name=f"run:{run.run_id}", context=entry.context)
        try:
            await asyncio.wait({entry.work})
        finally:
            if not entry.work.done():
                entry.work.cancel()
                await asyncio.wait({entry.work})
        try:
            await self._see_to(entry, entry.work)
        except NexusError as error:
            log.warning("run_left_for_recovery", run_id=run.run_id, reason=error.reason)

    async def _act(self, run: RunTicket) -> None:
        with acting_as(run.principal):
            await self._drive(run.org_id, run.run_id)

    async def _see_to(self, entry: _Entry, work: asyncio.Task[None]) -> None:
        run = entry.run
        if entry.cancelled_by:
            await self._end(run.org_id, run.run_id, entry.cancelled_by)
            return
        if work.cancelled():
            return
        error = work.exception()
        if error is None:
            return
        if isinstance(error, PreconditionFailed | LogUnwritable) or (
            isinstance(error, NexusError) and error.reason.startswith("STORAGE_")
        ):
            log.warning("run_work_stopped", run_id=run.run_id, error=str(error))
            return
        log.error("run_work_failed", run_id=run.run_id, exc_info=error)
        await self._end(run.org_id, run.run_id, internal_failure(run.run_id))
