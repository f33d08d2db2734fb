"""Execute a cell in a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace

from sandbox_service.domain.order import Caller
from sandbox_service.domain.outcome import KillReason
from sandbox_service.domain.program import Program
from sandbox_service.domain.run_event import Finished, RunEvent, SkippedFile
from sandbox_service.use_cases.collect_files import CollectFiles
from sandbox_service.use_cases.execute_program import DELIVERY_S, check_program
from sandbox_service.use_cases.keep_sessions import KeepSessions, Kept
from sandbox_service.use_cases.running import Running
from shared.errors import NotFound, PreconditionFailed
from shared.ids import IdSource


@dataclass(frozen=True, slots=True)
class CellOrder:
    """A cell to run.

    Attributes:
        session_id: where.
        code: its text, 1 byte to 1 MiB.
        wall_time_s: shorter limit than the session's; 0 for the session's.
        output_paths: paths and patterns of files to return.
    """

    session_id: str
    code: str
    wall_time_s: float = 0.0
    output_paths: tuple[str, ...] = ()


class ExecuteCell:
    """Runs cells, those of one session one after the other."""

    def __init__(self, sessions: KeepSessions, running: Running, collect: CollectFiles, new_id: IdSource) -> None:
        self._sessions = sessions
        self._running = running
        self._collect = collect
        self._new_id = new_id

    async def __call__(
        self, caller: Caller, order: CellOrder, abandoned: asyncio.Event
    ) -> AsyncGenerator[tuple[RunEvent, bool], None]:
        """Run a cell and yield its events, each with whether the session is gone with it.

        Setting `abandoned` or closing the generator interrupts it. A reader that has not come for everything a minute
        after the wall limit loses the session: it must not hold a place for ever.

        Raises:
            InvalidInput: PROGRAM_INVALID.
            NotFound: SESSION_UNKNOWN.
            PreconditionFailed: SESSION_BUSY, SANDBOX_GONE.
        """
        async with self._sessions.used(caller, order.session_id) as kept:
            check_program(Program(kept.order.language, order.code))
            async with self._sessions.turn(kept):
                if abandoned.is_set():
                    return
                async with aclosing(self._run(caller, kept, order, abandoned)) as events:
                    async for event in events:
                        yield event, isinstance(event, Finished) and not kept.sandbox.is_alive

    async def _run(
        self, caller: Caller, kept: Kept, order: CellOrder, abandoned: asyncio.Event
    ) -> AsyncGenerator[RunEvent, None]:
        sandbox, execution_id = kept.sandbox, self._new_id()
        limits = kept.limits
        if order.wall_time_s:
            limits = replace(limits, wall_time_s=min(limits.wall_time_s, order.wall_time_s))
        watch = asyncio.create_task(self._watch(caller, kept, abandoned, limits.wall_time_s + DELIVERY_S))
        finished: Finished | None = None
        try:
            with self._running.entered(caller, execution_id, sandbox.kill):
                async with aclosing(sandbox.run_cell(execution_id, order.code, limits)) as events:
                    async for event in events:
                        if isinstance(event, Finished):
                            finished = event
                        else:
                            yield event
            if finished is None:
                return
            skipped: list[SkippedFile] = []
            try:
                async with aclosing(self._collect(sandbox, order.output_paths, skipped)) as pieces:
                    async for piece in pieces:
                        yield piece
            except PreconditionFailed:  # the session is gone
                skipped.extend(SkippedFile(path, "not_found") for path in order.output_paths)
            yield replace(finished, skipped_files=tuple(skipped))
        finally:
            watch.cancel()

    async def _watch(self, caller: Caller, kept: Kept, abandoned: asyncio.Event, late_s: float) -> None:
        """Interrupt the cell when nobody waits for it; end the session when somebody does not read for `late_s`."""
        try:
            async with asyncio.timeout(late_s):
                await abandoned.wait()
        except TimeoutError:
            with suppress(NotFound):  # closed meanwhile
                await self._sessions.close(caller, kept.session_id)
        else:
            kept.sandbox.kill(KillReason.ABANDONED)
