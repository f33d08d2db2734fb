"""Keep long-lived processes: start, watch, write to and stop them, and end those that nobody watches."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sandbox_service.domain.errors import path_refused, process_unknown, process_watched
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.order import Caller
from sandbox_service.domain.outcome import KillReason
from sandbox_service.domain.run_event import Finished, OutputChunk, RunEvent, Started
from sandbox_service.ports.sandbox import Sandbox
from sandbox_service.use_cases.open_sandbox import OpenSandbox, Wanted
from sandbox_service.use_cases.openings import Openings
from shared.clock import Clock

_UNWATCHED_S = 60.0
_LOOK_EVERY_S = 5.0
_WRITTEN_WAITING = 8
_LAST_WORDS_S = 2.0

ProcessEvent = OutputChunk | Finished


@dataclass(frozen=True, slots=True)
class ProcessOrder:
    """A process to start.

    Attributes:
        program: what to start.
        limits: wanted, 0 for the default of each; wall time and output are not limited.
        read_only_paths: paths of the host that it may read.
        writable_paths: paths of the host that it may change.
        egress: wanted `host:port` targets.
        request_id: idempotency key; empty for none.
    """

    program: LongProgram
    limits: RunLimits
    read_only_paths: tuple[str, ...] = ()
    writable_paths: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    request_id: str = ""


@dataclass(slots=True)
class _Kept:
    caller: Caller
    sandbox: Sandbox
    process_id: str
    written: asyncio.Queue[ProcessEvent] = field(default_factory=lambda: asyncio.Queue[ProcessEvent](_WRITTEN_WAITING))
    pump: asyncio.Task[None] | None = None
    watched: bool = False
    unwatched_since_s: float = 0.0
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class ProcessRules:
    """Bounds of processes.

    Attributes:
        policy: defaults and ceilings of their limits.
        allowed_paths: folders of the host at or below which paths may be granted; none by default.
        hidden_paths: folders that no path may lead to or hold, whatever is allowed.
    """

    policy: LimitPolicy
    allowed_paths: tuple[str, ...] = ()
    hidden_paths: tuple[str, ...] = ()


class KeepProcesses:
    """The long-lived processes of this service; they end with it."""

    def __init__(self, open_sandbox: OpenSandbox, rules: ProcessRules, clock: Clock) -> None:
        self._open_sandbox = open_sandbox
        self._rules = rules
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._openings = Openings(lambda process_id: process_id in self._kept)

    async def start(self, caller: Caller, order: ProcessOrder) -> str:
        """Start a process and return its id; one that was started under the same request id is returned again.

        Raises:
            InvalidInput: LIMIT_OUT_OF_RANGE.
            PreconditionFailed: ISOLATION_UNAVAILABLE, PATH_REFUSED, PROGRAM_NOT_FOUND, EGRESS_REFUSED.
            QuotaExceeded: SANDBOX_BUSY.
        """
        return await self._openings.once((caller, order.request_id), order, lambda: self._make(caller, order))

    async def watch(self, caller: Caller, process_id: str) -> AsyncGenerator[ProcessEvent, None]:
        """Yield what the process writes until it has ended; who reads slowly slows it down.

        Raises:
            NotFound: PROCESS_UNKNOWN.
            PreconditionFailed: PROCESS_WATCHED, when somebody else does.
        """
        kept = self._mine(caller, process_id)
        if kept.watched:
            raise process_watched()
        kept.watched = True
        event: ProcessEvent | None = None
        try:
            while not isinstance(event, Finished):
                event = await kept.written.get()
                yield event
        finally:
            kept.watched = False
            kept.unwatched_since_s = self._clock.monotonic()
            if isinstance(event, Finished):
                await asyncio.shield(self._end(kept))

    async def write(self, caller: Caller, process_id: str, data: bytes, *, end: bool) -> None:
        """Write to the process's standard input; waits while it does not read.

        Raises:
            NotFound: PROCESS_UNKNOWN.
            PreconditionFailed: SANDBOX_GONE.
        """
        kept = self._mine(caller, process_id)
        async with kept.writing:
            await kept.sandbox.write_input(data, end=end)

    async def stop_process(self, caller: Caller, process_id: str) -> None:
        """Kill a process and all that it started.

        Raises:
            NotFound: PROCESS_UNKNOWN.
        """
        await self._end(self._mine(caller, process_id))

    async def expire(self) -> None:
        """End processes that nobody watches. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = self._clock.monotonic()
            over = [
                kept
                for kept in self._kept.values()
                if not kept.watched and now_s - kept.unwatched_since_s >= _UNWATCHED_S
            ]
            await asyncio.gather(*(self._end(kept) for kept in over))

    async def stop(self) -> None:
        """End all processes."""
        await self._openings.stop()
        await asyncio.gather(*(self._end(kept) for kept in list(self._kept.values())))

    async def _make(self, caller: Caller, order: ProcessOrder) -> str:
        limits = self._rules.policy.granted(order.limits)
        for path in (*order.read_only_paths, *order.writable_paths):
            self._check(path)
        wanted = Wanted(
            "",
            limits,
            strict=True,
            egress=order.egress,
            read_only_paths=order.read_only_paths,
            writable_paths=order.writable_paths,
            program=order.program.argv[0],
        )
        sandbox = await self._open_sandbox(caller, wanted)
        events = sandbox.start_process(order.program)
        try:
            first = await anext(events)
        except BaseException:
            await asyncio.shield(sandbox.destroy())
            raise
        assert isinstance(first, Started)  # noqa: S101  the port says so
        kept = _Kept(caller, sandbox, str(uuid.uuid4()), unwatched_since_s=self._clock.monotonic())
        # In a task of its own: a watcher that leaves leaves the process as it is.
        kept.pump = asyncio.create_task(_pump(events, kept.written))
        self._kept[kept.process_id] = kept
        return kept.process_id

    def _check(self, path: str) -> None:
        """Refuse a path that the installation has not allowed.

        Raises:
            PreconditionFailed: PATH_REFUSED.
        """
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts or "\0" in path:
            raise path_refused(path, "it must be absolute, without `..`")
        if not any(pure.is_relative_to(allowed) for allowed in self._rules.allowed_paths):
            raise path_refused(
                path, "it lies below none of the folders in NEXUS_SANDBOX_PROCESS_PATHS, which programs may be given"
            )
        for hidden in map(PurePosixPath, self._rules.hidden_paths):
            if pure.is_relative_to(hidden) or hidden.is_relative_to(pure):
                raise path_refused(path, "it holds or lies in Nexus's own data")

    def _mine(self, caller: Caller, process_id: str) -> _Kept:
        kept = self._kept.get(process_id)
        if kept is None or kept.caller != caller:
            raise process_unknown(process_id)
        return kept

    async def _end(self, kept: _Kept) -> None:
        self._kept.pop(kept.process_id, None)
        kept.sandbox.kill(KillReason.CANCELLED)
        if kept.pump:
            # Its watcher hears how it ended; nobody waits for one that reads nothing.
            await asyncio.wait([kept.pump], timeout=_LAST_WORDS_S if kept.watched else 0)
            kept.pump.cancel()
        await kept.sandbox.destroy()


async def _pump(events: AsyncGenerator[RunEvent, None], written: asyncio.Queue[ProcessEvent]) -> None:
    """Pass on what a process writes; while nobody takes it, the process waits."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, OutputChunk | Finished):
                await written.put(event)
