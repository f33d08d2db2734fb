"""Runs a mesh of processes from start to stop and tells everyone how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState, entry_of, phase_of
from mesh.supervisor.domain.process_spec import ProcessSpec
from mesh.supervisor.domain.process_status import ProcessState, ProcessStatus
from mesh.supervisor.domain.restart_policy import RestartPolicy
from mesh.supervisor.ports.state_store import StateStore
from mesh.supervisor.use_cases.stop_signal import StopSignal
from mesh.supervisor.use_cases.watch_process import Machine, ProcessWatcher, Timings
from shared.errors import NexusError, PreconditionFailed

_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class MeshIdentity:
    """What does not change while a mesh runs."""

    supervisor_pid: int
    started_at: datetime
    data_dir: str
    socket_dir: str = ""


@dataclass(frozen=True, slots=True)
class Observers:
    """Who is told. `on_change` is called at each change; `on_ready` once, and runs beside the mesh until it stops."""

    on_change: Callable[[MeshState], None]
    on_ready: Callable[[MeshState], Coroutine[Any, Any, None]]


class RunMesh:
    """Starts all processes at once, waits until all are ready, and keeps them so until it is asked to stop."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        identity: MeshIdentity,
        machine: Machine,
        store: StateStore,
        policy: RestartPolicy,
        timings: Timings,
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._identity = identity
        self._machine = machine
        self._store = store
        self._policy = policy
        self._timings = timings
        self._statuses = {name: ProcessStatus(name) for name in self._specs}
        self._was_ready = False

    async def run(self, stop: StopSignal, observers: Observers) -> None:
        """Run the mesh until `stop` is requested. Returns after every process has ended.

        Raises:
            PreconditionFailed: reason SERVICE_FAILED or SERVICE_NOT_READY, when the mesh does not come up.
        """
        changed = asyncio.Event()

        def note(status: ProcessStatus) -> None:
            self._statuses[status.name] = status
            changed.set()
            observers.on_change(self._state(stop))

        async with asyncio.TaskGroup() as tasks:
            turns = {turn: stop.later() for turn in sorted({spec.stop_turn for spec in self._specs.values()})}
            watchers = {
                spec.name: tasks.create_task(self._watcher(spec, note).run(turns[spec.stop_turn]))
                for spec in self._specs.values()
            }
            in_turn = [
                (asked, [watchers[spec.name] for spec in self._specs.values() if spec.stop_turn == turn])
                for turn, asked in turns.items()
            ]
            beside = [tasks.create_task(_stop_in_turn(stop, in_turn))]
            failure = await self._until_ready(stop, changed)
            beside.append(tasks.create_task(self._trim_logs()))
            if failure is not None:
                stop.requested.set()
            elif not stop.requested.is_set():
                beside.append(tasks.create_task(observers.on_ready(self._state(stop))))
            beside.append(tasks.create_task(self._publish_changes(stop, changed)))
            await asyncio.wait(watchers.values())
            for task in beside:
                task.cancel()
        if failure is not None:
            raise failure

    def _watcher(self, spec: ProcessSpec, note: Callable[[ProcessStatus], None]) -> ProcessWatcher:
        return ProcessWatcher(spec, self._machine, self._policy, self._timings, note)

    async def _until_ready(self, stop: StopSignal, changed: asyncio.Event) -> NexusError | None:
        """Wait for the start to succeed, fail or be given up; return the failure."""
        asked = asyncio.create_task(stop.requested.wait())
        try:
            async with asyncio.timeout(self._timings.start_timeout_s):
                while not stop.requested.is_set():
                    changed.clear()
                    state = self._state(stop)
                    await self._store.save(state)
                    if state.phase is MeshPhase.READY:
                        self._was_ready = True
                        return None
                    if state.phase is MeshPhase.FAILED:
                        return await self._given_up()
                    await _first(changed, asked)
        except TimeoutError:
            return await self._too_slow()
        finally:
            asked.cancel()
        return None

    async def _publish_changes(self, stop: StopSignal, changed: asyncio.Event) -> None:
        while True:
            await changed.wait()
            changed.clear()
            await self._store.save(self._state(stop))

    async def _trim_logs(self) -> None:
        while True:
            await asyncio.sleep(self._timings.log_check_s)
            for spec in self._specs.values():
                await self._machine.logs.trim(spec)

    async def _given_up(self) -> NexusError:
        status = next(s for s in self._statuses.values() if s.state is ProcessState.FAILED)
        return await self._failure(
            "SERVICE_FAILED",
            f"{status.name} ended {status.crashes_in_a_row} times in a row before it ever worked, "
            f"the last time with {status.last_exit}.",
            self._specs[status.name],
        )

    async def _too_slow(self) -> NexusError:
        late = [s for s in self._statuses.values() if s.state is not ProcessState.READY]
        names = ", ".join(f"{s.name} ({s.state})" for s in late)
        return await self._failure(
            "SERVICE_NOT_READY",
            f"Not ready after {self._timings.start_timeout_s:g} s: {names}.",
            self._specs[late[0].name],
        )

    async def _failure(self, reason: str, sentence: str, spec: ProcessSpec) -> NexusError:
        tail = await self._machine.logs.read(spec, _TAIL_LINES)
        ending = f"{spec.log_file} ends with:\n{tail}" if tail else f"{spec.log_file} is empty."
        return PreconditionFailed(
            reason, f"{sentence} {ending}", metadata={"service": spec.name, "log": str(spec.log_file)}
        )

    def _state(self, stop: StopSignal) -> MeshState:
        return MeshState(
            phase=phase_of(self._statuses, was_ready=self._was_ready, stopping=stop.requested.is_set()),
            supervisor_pid=self._identity.supervisor_pid,
            started_at=self._identity.started_at,
            data_dir=self._identity.data_dir,
            socket_dir=self._identity.socket_dir,
            services=tuple(entry_of(spec, self._statuses[name]) for name, spec in self._specs.items()),
        )


async def _stop_in_turn(stop: StopSignal, turns: Sequence[tuple[StopSignal, Sequence[asyncio.Task[None]]]]) -> None:
    """Once `stop` is requested, request each turn's own signal when the turn before has ended."""
    await stop.requested.wait()
    for asked, watchers in turns:
        asked.requested.set()
        await asyncio.wait(watchers)


async def _first(changed: asyncio.Event, asked: asyncio.Task[bool]) -> None:
    change = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait({change, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        change.cancel()
