"""Keeps one process running: starts it, follows its health, starts it again, stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mesh.supervisor.domain.process_spec import ProcessSpec
from mesh.supervisor.domain.process_status import (
    Health,
    ProcessState,
    ProcessStatus,
    checked,
    ended,
    launched,
    stopped,
    stopping,
)
from mesh.supervisor.domain.restart_policy import RestartPolicy
from mesh.supervisor.ports.health_probe import HealthProbe
from mesh.supervisor.ports.log_tail import LogTail
from mesh.supervisor.ports.process_launcher import ChildProcess, ProcessLauncher
from mesh.supervisor.use_cases.stop_signal import StopSignal, happened
from shared.clock import Clock
from shared.errors import UpstreamDown


@dataclass(frozen=True, slots=True)
class Machine:
    """What a watcher needs from the machine."""

    launcher: ProcessLauncher
    probe: HealthProbe
    logs: LogTail
    clock: Clock


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds between health checks by state, the deadline of one, and how long a process may take to stop."""

    poll_starting_s: float = 0.05
    poll_unhealthy_s: float = 0.5
    poll_ready_s: float = 5.0
    probe_timeout_s: float = 2.0
    stop_grace_s: float = 10.0
    start_timeout_s: float = 60.0
    log_check_s: float = 30.0


class ProcessWatcher:
    """Owns one process. `on_change` is called with each new status."""

    def __init__(
        self,
        spec: ProcessSpec,
        machine: Machine,
        policy: RestartPolicy,
        timings: Timings,
        on_change: Callable[[ProcessStatus], None],
    ) -> None:
        self._spec = spec
        self._machine = machine
        self._policy = policy
        self._timings = timings
        self._on_change = on_change
        self._status = ProcessStatus(spec.name)

    async def run(self, stop: StopSignal) -> None:
        """Keep the process running until `stop` is requested or the process is given up; leaves none behind."""
        while not stop.requested.is_set():
            child = await self._launch()
            if child is not None:
                await self._attend(child, stop)
            if self._status.state is ProcessState.FAILED:
                return
            if self._status.state is ProcessState.BACKOFF:
                await happened(stop.requested, self._policy.delay_s(self._status.crashes_in_a_row))
        self._set(stopped(self._status))

    async def _launch(self) -> ChildProcess | None:
        clock = self._machine.clock
        try:
            child = await self._machine.launcher.launch(self._spec)
        except UpstreamDown as error:
            self._set(ended(self._status, error.message, clock.monotonic(), self._policy))
            return None
        self._set(launched(self._status, child.pid, clock.now(), clock.monotonic()))
        return child

    async def _attend(self, child: ChildProcess, stop: StopSignal) -> None:
        """Return once the process has ended, for whatever reason."""
        exited = asyncio.create_task(child.wait())
        hung = asyncio.create_task(self._follow_health())
        asked = asyncio.create_task(stop.requested.wait())
        try:
            await asyncio.wait({exited, hung, asked}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                self._end(exited.result())
            elif asked.done():
                self._set(stopping(self._status))
                await self._stop(child, exited, stop)
            else:
                how = hung.result()
                child.kill()
                await exited
                self._end(how)
        finally:
            child.kill()
            hung.cancel()
            asked.cancel()
            await asyncio.gather(exited, hung, asked, return_exceptions=True)

    async def _follow_health(self) -> str:
        """Check the health until the process counts as hung; return why it does."""
        silent_since = self._machine.clock.monotonic()
        while True:
            health = await self._machine.probe.check(self._spec, self._timings.probe_timeout_s)
            now = self._machine.clock.monotonic()
            self._set(checked(self._status, health, now))
            if health is not Health.SILENT:
                silent_since = now
            limit_s = self._silence_limit_s()
            if now - silent_since >= limit_s:
                return f"killed: no answer to health checks for {limit_s:.0f} s"
            await asyncio.sleep(self._pause_s())

    async def _stop(self, child: ChildProcess, exited: asyncio.Task[str], stop: StopSignal) -> None:
        child.terminate()
        hurry = asyncio.create_task(stop.at_once.wait())
        try:
            await asyncio.wait({exited, hurry}, timeout=self._timings.stop_grace_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
        child.kill()
        await exited

    def _silence_limit_s(self) -> float:
        answered = self._status.ready_after_s is not None
        return self._policy.silence_limit_s if answered else self._policy.start_silence_limit_s

    def _pause_s(self) -> float:
        match self._status.state:
            case ProcessState.READY:
                return self._timings.poll_ready_s
            case ProcessState.UNHEALTHY:
                return self._timings.poll_unhealthy_s
            case _:
                return self._timings.poll_starting_s

    def _end(self, how: str) -> None:
        self._set(ended(self._status, how, self._machine.clock.monotonic(), self._policy))

    def _set(self, status: ProcessStatus) -> None:
        if status is not self._status:
            self._status = status
            self._on_change(status)
