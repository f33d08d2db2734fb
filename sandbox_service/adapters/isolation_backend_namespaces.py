"""Isolation by Linux namespaces, seccomp, Landlock, rlimits and control groups, built by a launcher in pure Python."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox_service.adapters.namespaces import canary
from sandbox_service.adapters.namespaces.blueprints import Blueprints
from sandbox_service.adapters.namespaces.canary_run import run_canary
from sandbox_service.adapters.namespaces.cgroups import PREFIX, CgroupTree
from sandbox_service.adapters.namespaces.failures import LaunchFailedError
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.adapters.namespaces.interpreter import layout_of_this_interpreter
from sandbox_service.adapters.namespaces.nursery import Nursery, NurseryOptions
from sandbox_service.adapters.namespaces.remedies import launch_remedy, platform_remedy
from sandbox_service.adapters.namespaces.sandbox import NamespaceSandbox
from sandbox_service.domain.errors import run_not_started
from sandbox_service.domain.image import BASE, Image
from sandbox_service.domain.isolation import IsolationLayer, IsolationReport
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.program import Program
from sandbox_service.domain.run_event import Finished
from sandbox_service.ports.isolation_backend import SandboxSpec
from shared.clock import Clock
from shared.ids import IdSource
from shared.telemetry.logging import get_logger

NAME = "namespaces"
# All of it together weighs as much as one ordinary process, so that it never starves the service that watches over it.
_CPU_SHARE = 1.0
_PROBE_ORG = "probe"
_PROBE_IMAGE = Image(BASE, "probe")
_PROBE_LIMITS = RunLimits(wall_time_s=10.0, memory_bytes=128 << 20, processes=canary.PROCESSES, output_bytes=64 << 10)
_GREEDY_LIMITS = RunLimits(wall_time_s=10.0, memory_bytes=canary.MEMORY_LIMIT_BYTES, processes=4, output_bytes=64 << 10)
# Layers without which code is run all the same, because another one does its work.
_OPTIONAL_LAYERS = frozenset({"landlock"})
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NamespaceOptions:
    """What an operator may choose.

    Attributes:
        workspace_bytes: size of each writable folder of a sandbox.
        workspace_files: most files and folders in each of them.
        cpu_cores: CPU seconds a second that a sandbox may use, where control groups work.
        read_only_paths: further paths that programs may read.
        hidden_paths: existing paths that the probe checks to be out of sight.
        nursery: how much is kept warm.
    """

    workspace_bytes: int
    workspace_files: int
    cpu_cores: float
    read_only_paths: Sequence[Path] = ()
    hidden_paths: Sequence[Path] = ()
    nursery: NurseryOptions = field(default_factory=NurseryOptions)


class NamespaceBackend:
    """Implements IsolationBackend."""

    def __init__(self, options: NamespaceOptions, clock: Clock, new_id: IdSource) -> None:
        self._options = options
        self._clock = clock
        self._new_id = new_id
        self._lock = asyncio.Lock()
        self._closed = False
        self._host: HostSetup | None = None
        self._root_group: CgroupTree | None = None
        self._nursery: Nursery | None = None
        self._retiring: asyncio.Task[None] | None = None
        self._out: set[NamespaceSandbox] = set()

    async def probe(self) -> IsolationReport:
        """Run the canaries and return what they could not do."""
        remedy = await asyncio.to_thread(platform_remedy)
        if remedy:
            return IsolationReport(available=False, remedy=remedy, backend=NAME)
        try:
            layers = await self._layers()
        except LaunchFailedError as failure:
            _log.warning("isolation_unavailable", stage=failure.stage, errno=failure.error_number)
            remedy = await asyncio.to_thread(launch_remedy, failure)
            layer = IsolationLayer(failure.stage, enforced=False, detail=str(failure))
            return IsolationReport(available=False, remedy=remedy, backend=NAME, layers=(layer,))
        missing = [layer.name for layer in layers if not layer.enforced and layer.name not in _OPTIONAL_LAYERS]
        remedy = f"The host does not enforce: {', '.join(missing)}. See the report's details." if missing else ""
        return IsolationReport(available=not missing, remedy=remedy, backend=NAME, layers=tuple(layers))

    async def create(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> NamespaceSandbox:
        """Return an empty sandbox; see the port."""
        try:
            return await self._create(spec, on_gone)
        except LaunchFailedError as failure:
            _log.error("run_not_started", org_id=spec.org_id, stage=failure.stage, error=str(failure))
            raise run_not_started() from failure

    async def close(self) -> None:
        """Kill every sandbox and wait until nothing of them is left."""
        self._closed = True
        if self._retiring:
            self._retiring.cancel()
        async with self._lock:
            nursery, self._nursery = self._nursery, None
        if nursery:
            await nursery.refuse()
            await asyncio.gather(*(sandbox.destroy() for sandbox in list(self._out)))
            await nursery.close()
        root, self._root_group = self._root_group, None
        if root:
            await asyncio.to_thread(root.remove)

    async def _create(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> NamespaceSandbox:
        nursery = await self._open_nursery()
        sandbox = await nursery.take(spec, on_gone)
        self._out.add(sandbox)
        sandbox.when_buried(lambda: self._out.discard(sandbox))
        return sandbox

    async def _open_nursery(self) -> Nursery:
        async with self._lock:
            if self._closed:
                raise LaunchFailedError("process", 0, "the service stops")
            if self._nursery is None:
                self._host = await asyncio.to_thread(self._look_at_host)
                try:
                    self._root_group = await asyncio.to_thread(_root_group, self._host)
                except OSError as error:
                    raise LaunchFailedError("process", error.errno or 0, "control groups cannot be made") from error
                self._nursery = Nursery(
                    self._host, self._root_group, Blueprints(self._host), self._options.nursery, self._clock
                )
                self._retiring = asyncio.create_task(self._nursery.retire_idle(), name="sandbox-retire-idle")
            return self._nursery

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

    async def _layers(self) -> list[IsolationLayer]:
        """Run the canaries.

        Raises:
            LaunchFailedError: when the isolation cannot even be built.
        """
        hidden = [Path("/etc/shadow"), Path("/etc/hostname"), Path(__file__), *self._options.hidden_paths]
        program = await asyncio.to_thread(canary.facts_program, hidden)
        output, finished = await self._collect(program, _PROBE_LIMITS)
        host = self._host
        try:
            own = await asyncio.to_thread(canary.own_namespaces)
            layers = canary.layers_of(json.loads(output), own, is_root=host is not None and host.is_root)
        except (ValueError, KeyError) as error:
            detail = f"{finished.status.value}, exit code {finished.exit_code}, signal {finished.signal}"
            raise LaunchFailedError("canary", 0, detail) from error
        _, greedy = await self._collect(canary.memory_program(), _GREEDY_LIMITS)
        return [*layers, canary.memory_layer(greedy.status, grouped=host is not None and host.counts_memory)]

    async def _collect(self, program: Program, limits: RunLimits) -> tuple[bytes, Finished]:
        """Return the standard output of a canary, and its end."""
        sandbox = await self._create(SandboxSpec(_PROBE_ORG, _PROBE_IMAGE, limits), lambda: None)
        return await run_canary(sandbox, self._new_id(), program)


def _root_group(host: HostSetup) -> CgroupTree | None:
    """Return the group of all sandboxes of this service; None where memory is not counted."""
    if not host.counts_memory:
        return None
    return host.cgroups.subtree(f"{PREFIX}{os.getpid()}", cpu_share=_CPU_SHARE)
