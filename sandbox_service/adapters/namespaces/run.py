"""One run, from its launch until nothing of it is left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from sandbox_service.adapters.namespaces.cgroups import GroupUsage
from sandbox_service.adapters.namespaces.control import ControlLine
from sandbox_service.adapters.namespaces.feed import EventFeed
from sandbox_service.adapters.namespaces.launch import HostSetup, Launched, launch
from sandbox_service.adapters.namespaces.output import OutputRelay, readable
from sandbox_service.domain.outcome import Ending, KillReason, status_of
from sandbox_service.domain.run_event import Finished, RunEvent, Started, Stream
from sandbox_service.ports.isolation_backend import RunSpec
from shared.clock import Clock

_EVENTS_WAITING = 8
_SETUP_TIMEOUT_S = 10.0
_GRACE_S = 1.0
_KILLED_BY_KERNEL = {"exit": "-1", "signal": "9"}


class LaunchFailedError(Exception):
    """The isolation of a run could not be built.

    Attributes:
        stage: the step that failed: `process`, `namespaces`, `id_map`, `root`, `privileges`, `seccomp`, `exec`.
        error_number: errno of the step, 0 for none.
        detail: what else is known.
    """

    def __init__(self, stage: str, error_number: int, detail: str) -> None:
        super().__init__(f"{stage}: {detail} (errno {error_number})")
        self.stage = stage
        self.error_number = error_number
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Times:
    started_s: float
    ended_s: float


class NamespaceRun:
    """Runs one program.

    Args:
        host: what is the same for all runs.
        spec: what to run.
        user_id: host user of the program, used by no other run at the time.
        clock: measures its time.
        on_gone: called once, when no process of the run is left.
    """

    def __init__(self, host: HostSetup, spec: RunSpec, user_id: int, clock: Clock, on_gone: Callable[[], None]) -> None:
        self._host = host
        self._spec = spec
        self._user_id = user_id
        self._clock = clock
        self._on_gone = on_gone
        self._feed = EventFeed(_EVENTS_WAITING)
        self._line: ControlLine | None = None
        self._launched: Launched | None = None
        self._kill_reason: KillReason | None = None
        self._hard_kill: asyncio.TimerHandle | None = None
        self._gone = False

    def events(self) -> AsyncGenerator[RunEvent, None]:
        """Yield the events; raises LaunchFailedError when the isolation could not be built."""
        return self._feed.events()

    def abandon(self) -> None:
        """Kill the program, for nobody reads any more. Idempotent."""
        self._feed.abandon()
        self._kill(KillReason.ABANDONED)

    async def supervise(self) -> None:
        """Run the program to its end and clean up after it. Must not be cancelled: `abandon` ends it fast."""
        # Whoever reads must never take a run that was cut short for one that ended.
        error: Exception | None = LaunchFailedError("supervision", 0, "it broke off")
        try:
            self._launched = await asyncio.to_thread(launch, self._host, self._spec, self._user_id)
            await self._follow(self._launched)
            error = None
        except LaunchFailedError as failure:
            error = failure
        except (OSError, ValueError) as failure:
            number = failure.errno or 0 if isinstance(failure, OSError) else 0
            error = LaunchFailedError("process", number, str(failure))
        finally:
            self._note_gone()
            self._feed.end(error)

    async def _follow(self, launched: Launched) -> None:
        self._line = line = ControlLine(launched.control)
        relay = OutputRelay(self._feed, self._spec.limits.output_bytes, lambda: self._kill(KillReason.OUTPUT))
        if self._kill_reason is not None:  # while it was being launched
            self._order_kill(line, launched)
        try:
            async with asyncio.timeout(_SETUP_TIMEOUT_S):
                await line.started_or_closed()
            started_s = self._clock.monotonic()
            if "ready" in line.messages:
                await self._feed.put(Started(self._spec.execution_id))
            async with asyncio.TaskGroup() as group:
                if "ready" in line.messages:
                    group.create_task(relay.relay(launched.stdout_fd, Stream.STDOUT))
                    group.create_task(relay.relay(launched.stderr_fd, Stream.STDERR))
                await self._until_gone(launched)
                times = _Times(started_s, self._clock.monotonic())
                line.receive()
                usage = await asyncio.to_thread(_account, launched)
                self._note_gone()
        except TimeoutError:
            raise LaunchFailedError("setup", 0, "the launcher took too long") from None
        finally:
            await self._release(launched, line)
        await self._finish(line, relay, times, usage)

    def _note_gone(self) -> None:
        if not self._gone:
            self._gone = True
            self._on_gone()

    async def _until_gone(self, launched: Launched) -> None:
        """Wait until no process of the run is left, which the wall limit bounds."""
        process_fd = os.pidfd_open(launched.process.pid)
        try:
            try:
                async with asyncio.timeout(self._spec.limits.wall_time_s):
                    await readable(process_fd)
            except TimeoutError:
                self._kill(KillReason.WALL_TIME)
                await readable(process_fd)
        finally:
            os.close(process_fd)
            if self._hard_kill:
                self._hard_kill.cancel()

    def _kill(self, reason: KillReason) -> None:
        if self._kill_reason is None:
            self._kill_reason = reason
            if self._line and self._launched and not self._gone:
                self._order_kill(self._line, self._launched)

    def _order_kill(self, line: ControlLine, launched: Launched) -> None:
        """Ask PID 1, which can still report what was used; the launcher's death kills it if it does not obey."""
        line.order_kill()
        loop = asyncio.get_running_loop()
        self._hard_kill = loop.call_later(_GRACE_S, launched.process.kill)

    async def _release(self, launched: Launched, line: ControlLine) -> None:
        """Make sure that nothing is left, however the run ended."""
        line.close()
        os.close(launched.stdout_fd)
        os.close(launched.stderr_fd)
        if not self._gone:
            launched.process.kill()
            await asyncio.to_thread(_account, launched)

    async def _finish(self, line: ControlLine, relay: OutputRelay, times: _Times, usage: GroupUsage) -> None:
        """Put the last events, from what the kernel and PID 1 say."""
        messages = line.messages
        lost = self._kill_reason is None and not usage.out_of_memory_kills
        if "failed" in messages or ("ready" not in messages and lost):
            failed = messages.get("failed", {})
            raise LaunchFailedError(failed.get("stage", "start"), int(failed.get("errno", 0)), failed.get("detail", ""))
        if "ready" not in messages:
            await self._feed.put(Started(self._spec.execution_id))
        ended = messages.get("ended", _KILLED_BY_KERNEL)
        ending = Ending(
            exit_code=int(ended["exit"]),
            signal=int(ended["signal"]),
            out_of_memory_kills=usage.out_of_memory_kills,
            kill_reason=self._reason(ended, truncated=relay.truncated),
        )
        cpu_time_s = usage.cpu_time_s
        if cpu_time_s is None:
            cpu_time_s = int(ended.get("cpu_us", 0)) / 1e6
        await self._feed.put(
            Finished(
                status=status_of(ending),
                exit_code=ending.exit_code,
                signal=ending.signal,
                wall_time_s=times.ended_s - times.started_s,
                cpu_time_s=cpu_time_s,
                peak_memory_bytes=usage.peak_memory_bytes or int(ended.get("peak_bytes", 0)),
                output_truncated=relay.truncated,
            )
        )

    def _reason(self, ended: dict[str, str], *, truncated: bool) -> KillReason | None:
        if ended.get("killed") == "memory":
            return KillReason.MEMORY
        if self._kill_reason is KillReason.WALL_TIME and ended.get("killed") == "":
            return None  # it ended by itself at the last moment
        if truncated and self._kill_reason is None:
            return KillReason.OUTPUT
        return self._kill_reason


def _account(launched: Launched) -> GroupUsage:
    """Wait for the launcher, read what the run used, and remove its group. Idempotent."""
    launched.process.wait()
    if launched.group is None:
        return GroupUsage(0, None, None)
    usage = launched.group.usage()
    launched.group.remove()
    return usage
