"""Keep long-lived processes: start, watch, write to and stop them, and end those that nobody watches."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sandbox_service.domain.errors import path_refused, process_unknown, process_watched
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.order import Caller
from sandbox_service.domain.outcome import KillReason
from sandbox_service.domain.run_event import Finished, OutputChunk, Started
from sandbox_service.ports.sandbox import Sandbox
from sandbox_service.use_cases.open_sandbox import OpenSandbox, Wanted
from shared.clock import Clock

_UNWATCHED_S = 60.0
_LOOK_EVERY_S = 5.0
_REMEMBERED_REQUESTS = 1_000

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
    events: AsyncGenerator[object, None]
    process_id: str
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
        self._starting: dict[tuple[Caller, str], asyncio.Task[_Kept]] = {}
        self._started: deque[tuple[Caller, str]] = deque()

    async def start(self, caller: Caller, order: ProcessOrder) -> str:
        """Start a process and return its id; one that was started under the same request id is returned again.

        Raises:
            InvalidInput: LIMIT_OUT_OF_RANGE.
            PreconditionFailed: ISOLATION_UNAVAILABLE, PATH_REFUSED, PROGRAM_NOT_FOUND, EGRESS_REFUSED.
            QuotaExceeded: SANDBOX_BUSY.
        """
        key = (caller, order.request_id)
        task = self._starting.get(key) if order.request_id else None
        if task is None or (task.done() and (task.cancelled() or task.exception() or not self._is_kept(task))):
            task = asyncio.create_task(self._make(caller, order))
            if order.request_id:
                self._starting[key] = task
                self._started.append(key)
                while len(self._started) > _REMEMBERED_REQUESTS:
                    self._starting.pop(self._started.popleft(), None)
        return (await asyncio.shield(task)).process_id

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
        ended = False
        try:
            async for event in kept.events:
                if isinstance(event, Finished):
                    ended = True
                if isinstance(event, OutputChunk | Finished):
                    yield event
        finally:
            kept.watched = False
            kept.unwatched_since_s = self._clock.monotonic()
            if ended:
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
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*(self._end(kept) for kept in list(self._kept.values())))

    async def _make(self, caller: Caller, order: ProcessOrder) -> _Kept:
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
        kept = _Kept(caller, sandbox, events, str(uuid.uuid4()), unwatched_since_s=self._clock.monotonic())
        self._kept[kept.process_id] = kept
        return kept

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

    def _is_kept(self, task: asyncio.Task[_Kept]) -> bool:
        return task.result().process_id in self._kept

    def _mine(self, caller: Caller, process_id: str) -> _Kept:
        kept = self._kept.get(process_id)
        if kept is None or kept.caller != caller:
            raise process_unknown(process_id)
        return kept

    async def _end(self, kept: _Kept) -> None:
        self._kept.pop(kept.process_id, None)
        kept.sandbox.kill(KillReason.ABANDONED)
        await kept.sandbox.destroy()
