"""Isolation by Linux namespaces, seccomp, rlimits and control groups, built by a launcher in pure Python."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_service.adapters.namespaces import canary
from sandbox_service.adapters.namespaces.cgroups import CgroupTree
from sandbox_service.adapters.namespaces.interpreter import layout_of_this_interpreter
from sandbox_service.adapters.namespaces.launch import HostSetup
from sandbox_service.adapters.namespaces.remedies import launch_remedy, platform_remedy
from sandbox_service.adapters.namespaces.run import LaunchFailedError, NamespaceRun
from sandbox_service.domain.errors import run_not_started
from sandbox_service.domain.isolation import IsolationLayer, IsolationReport
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.program import Program
from sandbox_service.domain.run_event import Finished, OutputChunk, RunEvent, Stream
from sandbox_service.ports.isolation_backend import RunSpec
from shared.clock import Clock
from shared.ids import IdSource
from shared.telemetry.logging import get_logger

NAME = "namespaces"
_FIRST_USER_ID = 0x4E580000
_USER_IDS = 1 << 16
_PROBE_LIMITS = RunLimits(wall_time_s=10.0, memory_bytes=128 << 20, processes=canary.PROCESSES, output_bytes=64 << 10)
_GREEDY_LIMITS = RunLimits(wall_time_s=10.0, memory_bytes=canary.MEMORY_LIMIT_BYTES, processes=4, output_bytes=64 << 10)
# Layers without which code is run all the same, because another one does its work.
_OPTIONAL_LAYERS = frozenset({"user_namespace"})
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NamespaceOptions:
    """What an operator may choose.

    Attributes:
        workspace_bytes: size of each writable folder of a run.
        workspace_files: most files and folders in each of them.
        cpu_cores: CPU seconds a second that a run may use, where control groups work.
        read_only_paths: further paths that programs may read.
        hidden_paths: existing paths that the probe checks to be out of sight.
    """

    workspace_bytes: int
    workspace_files: int
    cpu_cores: float
    read_only_paths: Sequence[Path] = ()
    hidden_paths: Sequence[Path] = ()


class NamespaceBackend:
    """Implements IsolationBackend."""

    def __init__(self, options: NamespaceOptions, clock: Clock, new_id: IdSource) -> None:
        self._options = options
        self._clock = clock
        self._new_id = new_id
        self._host: HostSetup | None = None
        self._runs: dict[asyncio.Task[None], NamespaceRun] = {}
        self._user_ids: set[int] = set()
        self._next_user_id = itertools.count(secrets.randbelow(_USER_IDS))

    async def probe(self) -> IsolationReport:
        """Run the canaries and return what they could not do."""
        remedy = await asyncio.to_thread(platform_remedy)
        if remedy:
            return IsolationReport(available=False, remedy=remedy, backend=NAME)
        host = self._host = await asyncio.to_thread(self._look_at_host)
        try:
            layers = await self._layers(host)
        except LaunchFailedError as failure:
            _log.warning("isolation_unavailable", stage=failure.stage, errno=failure.error_number)
            remedy = await asyncio.to_thread(launch_remedy, failure, is_root=host.is_root)
            layer = IsolationLayer(failure.stage, enforced=False, detail=str(failure))
            return IsolationReport(available=False, remedy=remedy, backend=NAME, layers=(layer,))
        missing = [layer.name for layer in layers if not layer.enforced and layer.name not in _OPTIONAL_LAYERS]
        remedy = f"The host does not enforce: {', '.join(missing)}. See the report's details." if missing else ""
        return IsolationReport(available=not missing, remedy=remedy, backend=NAME, layers=tuple(layers))

    async def run(
        self, spec: RunSpec, *, abandoned: asyncio.Event, on_gone: Callable[[], None]
    ) -> AsyncGenerator[RunEvent, None]:
        """Run a program and yield its events; see the port."""
        host = self._host = self._host or await asyncio.to_thread(self._look_at_host)
        try:
            async for event in self._run(host, spec, abandoned, on_gone):
                yield event
        except LaunchFailedError as failure:
            _log.error("run_not_started", execution_id=spec.execution_id, stage=failure.stage, error=str(failure))
            raise run_not_started() from failure

    async def close(self) -> None:
        """Kill every run and wait until nothing of them is left."""
        for run in self._runs.values():
            run.abandon()
        if self._runs:
            await asyncio.wait(list(self._runs))

    async def _run(
        self, host: HostSetup, spec: RunSpec, abandoned: asyncio.Event, on_gone: Callable[[], None]
    ) -> AsyncGenerator[RunEvent, None]:
        """Run a program, as its own supervised task: who stops reading does not stop its being cleaned up."""
        user_id = self._take_user_id() if host.is_root else os.getuid()

        def gone() -> None:
            self._user_ids.discard(user_id)
            on_gone()

        run = NamespaceRun(host, spec, user_id, self._clock, gone)
        loop = asyncio.get_running_loop()
        task = loop.create_task(run.supervise(), name=f"run-{spec.execution_id}")
        watch = loop.create_task(_abandon_when(abandoned, run))
        self._runs[task] = run
        task.add_done_callback(lambda done: self._forget(done, watch))
        try:
            async for event in run.events():
                yield event
        finally:
            run.abandon()
            await asyncio.wait([task])

    def _forget(self, task: asyncio.Task[None], watch: asyncio.Task[None]) -> None:
        watch.cancel()
        del self._runs[task]
        if not task.cancelled() and task.exception() is not None:
            _log.error("run_supervision_failed", exc_info=task.exception())

    def _take_user_id(self) -> int:
        for number in self._next_user_id:
            user_id = _FIRST_USER_ID + number % _USER_IDS
            if user_id not in self._user_ids:
                self._user_ids.add(user_id)
                return user_id
        raise AssertionError("unreachable: the count has no end")

    def _look_at_host(self) -> HostSetup:
        cgroups = CgroupTree.detect(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
        cgroups.sweep()
        return HostSetup(
            is_root=os.geteuid() == 0,
            layout=layout_of_this_interpreter(self._options.read_only_paths),
            cgroups=cgroups,
            workspace_bytes=self._options.workspace_bytes,
            workspace_files=self._options.workspace_files,
            cpu_cores=self._options.cpu_cores,
        )

    async def _layers(self, host: HostSetup) -> list[IsolationLayer]:
        """Run the canaries.

        Raises:
            LaunchFailedError: when the isolation cannot even be built.
        """
        hidden = [Path("/etc/shadow"), Path("/etc/hostname"), Path(__file__), *self._options.hidden_paths]
        program = await asyncio.to_thread(canary.facts_program, hidden)
        output, finished = await self._collect(host, program, _PROBE_LIMITS)
        try:
            own = await asyncio.to_thread(canary.own_namespaces)
            layers = canary.layers_of(json.loads(output), own, is_root=host.is_root)
        except (ValueError, KeyError) as error:
            detail = f"{finished.status.value}, exit code {finished.exit_code}, signal {finished.signal}"
            raise LaunchFailedError("canary", 0, detail) from error
        _, greedy = await self._collect(host, canary.memory_program(), _GREEDY_LIMITS)
        return [*layers, canary.memory_layer(greedy.status, grouped=host.counts_memory)]

    async def _collect(self, host: HostSetup, program: Program, limits: RunLimits) -> tuple[bytes, Finished]:
        """Return the standard output of a canary, and its end."""
        output = b""
        finished: Finished | None = None
        spec = RunSpec(self._new_id(), program, limits)
        async for event in self._run(host, spec, asyncio.Event(), lambda: None):
            match event:
                case OutputChunk(Stream.STDOUT, data):
                    output += data
                case Finished():
                    finished = event
                case _:
                    pass
        if finished is None:
            raise LaunchFailedError("canary", 0, "the service stops")
        return output, finished


async def _abandon_when(abandoned: asyncio.Event, run: NamespaceRun) -> None:
    await abandoned.wait()
    run.abandon()
