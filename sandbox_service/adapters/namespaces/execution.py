"""One program or cell, from its start to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from sandbox_service.adapters.launcher.wire import Message
from sandbox_service.adapters.namespaces.cgroups import GroupUsage
from sandbox_service.adapters.namespaces.feed import LEAST_EVENT_BYTES, EventFeed
from sandbox_service.adapters.namespaces.guest_channel import CellDone, GuestChannel, Result
from sandbox_service.adapters.namespaces.output import OutputRelay
from sandbox_service.adapters.namespaces.streams import Streams
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.outcome import Ending, KillReason, status_of
from sandbox_service.domain.run_event import Finished, RunEvent, Started, Stream
from shared.clock import Clock

_WAITING_BYTES = 1 << 20
_KILLED_BY_KERNEL: Message = {"exit": -1, "signal": 9, "killed": "asked"}


class Place(Protocol):
    """Where something is executed: what an execution needs of its sandbox."""

    async def ended(self) -> Message | None:
        """Wait until the program has ended; return PID 1's report, None when the kernel has killed PID 1 too."""
        ...

    async def usage(self) -> GroupUsage:
        """Return what the whole sandbox has used so far."""
        ...

    def interrupt(self, *, whole: bool) -> None:
        """Interrupt the cell that runs, or kill the program as a whole; what does not obey is killed hard."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How something is executed.

    Attributes:
        execution_id: its id.
        limits: of its wall time (0 for none) and its output (0 for none).
        cell: what the program is given to do, which goes on when it is done; None to follow the program itself.
    """

    execution_id: str
    limits: RunLimits
    cell: str | None = None


class Execution:
    """Relays what a program writes and tells how it ended.

    Args:
        place: its sandbox.
        streams: of the program, which has been started.
        channel: of the program; None when it has none.
        terms: how.
        clock: measures its time.
    """

    def __init__(
        self, place: Place, streams: Streams, channel: GuestChannel | None, terms: Terms, clock: Clock
    ) -> None:
        self._place = place
        self._streams = streams
        self._channel = channel
        self._terms = terms
        self._clock = clock
        self._feed = EventFeed(_WAITING_BYTES)
        limit = terms.limits.output_bytes or 1 << 62
        self._relay = OutputRelay(self._feed, limit, lambda: self.kill(KillReason.OUTPUT))
        self._kill_reason: KillReason | None = None
        self._over = False

    def events(self) -> AsyncGenerator[RunEvent, None]:
        """Yield the events."""
        return self._feed.events()

    def kill(self, reason: KillReason) -> None:
        """End it before its time. Idempotent: the first reason counts.

        From then on it does not wait for its reader: what has no room is thrown away, so that a cell can obey.
        """
        if reason is KillReason.ABANDONED:
            self._feed.abandon()
        if self._kill_reason is None and not self._over:
            self._kill_reason = reason
            self._feed.cut()
            self._place.interrupt(whole=self._terms.cell is None)

    async def supervise(self) -> None:
        """Follow it to its end. Must not be cancelled: `kill` ends it fast."""
        error: Exception | None = RuntimeError("its supervision broke off")
        try:
            await self._follow()
            error = None
        finally:
            self._feed.end(error)

    async def _follow(self) -> None:
        began_s, used_before = self._clock.monotonic(), await self._place.usage()
        self._feed.add(Started(self._terms.execution_id))
        loop = asyncio.get_running_loop()
        relays = [
            loop.create_task(self._relay.relay(self._streams.stdout_fd, Stream.STDOUT)),
            loop.create_task(self._relay.relay(self._streams.stderr_fd, Stream.STDERR)),
        ]
        results = loop.create_task(self._talk(self._channel)) if self._channel else None
        timer = None
        if self._terms.limits.wall_time_s:
            timer = loop.call_later(self._terms.limits.wall_time_s, self.kill, KillReason.WALL_TIME)
        try:
            report, done = await self._end(results)
            self._over = True
            ended_s, used = self._clock.monotonic(), await self._place.usage()
            await self._last_words(relays, results, is_gone=done is None)
        finally:
            if timer:
                timer.cancel()
            for task in (*relays, results):
                if task:
                    task.cancel()
        self._feed.add(self._finished(report, done, _Used(ended_s - began_s, used_before, used)))

    async def _talk(self, channel: GuestChannel) -> CellDone | None:
        """Send the cell, if there is one, and pass on results; return None when nothing can be said any more.

        Sent under the wall limit: a kernel that does not read is killed as one that does not obey.
        """
        if self._terms.cell is not None:
            try:
                await channel.send_cell(self._terms.cell)
            except OSError:
                return None
        return await channel.read(self._pass_on)

    async def _end(self, results: asyncio.Task[CellDone | None] | None) -> tuple[Message | None, CellDone | None]:
        """Return PID 1's report of the program's end, or the kernel's word on the cell's."""
        ended = asyncio.ensure_future(self._place.ended())
        if self._terms.cell is None or results is None:
            return await ended, None
        await asyncio.wait((ended, results), return_when=asyncio.FIRST_COMPLETED)
        done = results.result() if results.done() else None
        if done is not None and not done.ends:
            ended.cancel()
            return None, done
        # A kernel that says that it ends has until the wall limit to do so.
        if done is None and not ended.done():
            # The kernel has closed or spoilt its channel: nobody can tell any more when a cell is done.
            self._place.interrupt(whole=True)
        return await ended, None

    async def _last_words(
        self,
        relays: list[asyncio.Task[None]],
        results: asyncio.Task[CellDone | None] | None,
        *,
        is_gone: bool,
    ) -> None:
        """Pass on what was written before the end."""
        if is_gone:  # nobody is left who holds an end of the pipes
            await asyncio.gather(*relays)
            if results:
                await results
            return
        self._relay.finish()
        await asyncio.gather(*relays)

    async def _pass_on(self, result: Result) -> None:
        size = max(LEAST_EVENT_BYTES, result.size_bytes)
        if self._relay.take(size) == size:
            await self._relay.pass_on(result.output, size)

    def _finished(self, report: Message | None, done: CellDone | None, used: _Used) -> Finished:
        if done is not None:
            reason = self._kill_reason
            ending = Ending(done.exit_code or (0 if done.ok else 1), 0, used.out_of_memory_kills, reason)
        else:
            ended = report or _KILLED_BY_KERNEL
            ending = Ending(
                int(ended["exit"]), int(ended["signal"]), used.out_of_memory_kills, self._reason(str(ended["killed"]))
            )
        return Finished(
            status=status_of(ending),
            exit_code=ending.exit_code,
            signal=ending.signal,
            wall_time_s=used.wall_time_s,
            cpu_time_s=used.cpu_time_s if used.cpu_time_s is not None else int((report or {}).get("cpu_us", 0)) / 1e6,
            peak_memory_bytes=used.peak_memory_bytes or int((report or {}).get("peak_bytes", 0)),
            output_truncated=self._relay.truncated,
        )

    def _reason(self, killed: str) -> KillReason | None:
        if killed == "memory":
            return KillReason.MEMORY
        if self._kill_reason is KillReason.WALL_TIME and killed == "":
            return None  # it ended by itself at the last moment
        if self._relay.truncated and self._kill_reason is None:
            return KillReason.OUTPUT
        return self._kill_reason


class _Used:
    """What an execution used: the difference of two looks at its sandbox."""

    def __init__(self, wall_time_s: float, before: GroupUsage, after: GroupUsage) -> None:
        self.wall_time_s = wall_time_s
        self.out_of_memory_kills = after.out_of_memory_kills - before.out_of_memory_kills
        self.peak_memory_bytes = after.peak_memory_bytes
        self.cpu_time_s: float | None = None
        if after.cpu_time_s is not None and before.cpu_time_s is not None:
            self.cpu_time_s = after.cpu_time_s - before.cpu_time_s
