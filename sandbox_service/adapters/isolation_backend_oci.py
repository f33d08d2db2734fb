"""Isolation by containers of an OCI runtime that the operator brings, such as gVisor's runsc."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.namespaces import canary
from sandbox_service.adapters.namespaces.blueprints import Blueprints
from sandbox_service.adapters.namespaces.canary_run import run_canary
from sandbox_service.adapters.namespaces.cgroups import MEMORY, PREFIX, CgroupTree, RunGroup
from sandbox_service.adapters.namespaces.failures import LaunchFailedError
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.adapters.namespaces.interpreter import layout_of_this_interpreter
from sandbox_service.adapters.namespaces.remedies import platform_remedy
from sandbox_service.adapters.namespaces.sandbox import Around
from sandbox_service.adapters.namespaces.user_ids import FIRST_USER_ID, USER_IDS, UserIds
from sandbox_service.adapters.oci.bundle import write_bundle
from sandbox_service.adapters.oci.layers import contained_layers
from sandbox_service.adapters.oci.runtime import Container, OciRuntime
from sandbox_service.adapters.oci.sandbox import ContainerSandbox
from sandbox_service.domain.errors import backend_lacks, run_not_started
from sandbox_service.domain.image import BASE, Image
from sandbox_service.domain.isolation import IsolationLayer, IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.program import Program
from sandbox_service.domain.run_event import Finished
from sandbox_service.ports.isolation_backend import SandboxSpec
from shared.clock import Clock
from shared.ids import IdSource
from shared.telemetry.logging import get_logger

# What a runtime takes beside the programs: gVisor's kernel counts with them, and its threads. PID 1 holds the programs
# themselves to their limits, and the group is the bound around all of it.
_EXTRA_MEMORY_BYTES = 256 << 20
_EXTRA_PROCESSES = 512
_PROBE_ORG = "probe"
_PROBE_IMAGE = Image(BASE, "probe")
_PROBE_LIMITS = RunLimits(wall_time_s=20.0, memory_bytes=128 << 20, processes=canary.PROCESSES, output_bytes=64 << 10)
_GREEDY_LIMITS = RunLimits(wall_time_s=20.0, memory_bytes=canary.MEMORY_LIMIT_BYTES, processes=4, output_bytes=64 << 10)
_MEMORY_DETAILS = {
    True: f"PID 1 looks 40 times a second, and a control group is the bound {_EXTRA_MEMORY_BYTES >> 20} MiB above that",
    False: "no writable control group with the memory controller: a program that stops PID 1 would have no limit",
}
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OciOptions:
    """What an operator may choose.

    Attributes:
        runtime: path of the runtime.
        folder: where bundles and the runtime's state are kept while containers live; made when needed.
        workspace_bytes: size of each writable folder of a sandbox.
        workspace_files: most files and folders in each of them, where the runtime can tell.
        cpu_cores: CPU seconds a second that a sandbox may use, where control groups work.
        read_only_paths: further paths that programs may read.
        hidden_paths: existing paths that the probe checks to be out of sight.
    """

    runtime: Path
    folder: Path
    workspace_bytes: int
    workspace_files: int
    cpu_cores: float
    read_only_paths: Sequence[Path] = ()
    hidden_paths: Sequence[Path] = ()


class OciBackend:
    """Implements IsolationBackend: one container a sandbox, none kept ready."""

    def __init__(self, options: OciOptions, clock: Clock, new_id: IdSource) -> None:
        self._options = options
        self._clock = clock
        self._new_id = new_id
        self._lock = asyncio.Lock()
        self._folder = options.folder / str(os.getpid())
        self._runtime = OciRuntime(options.runtime, self._folder / "state")
        self._user_ids = UserIds(is_root=os.geteuid() == 0, first=FIRST_USER_ID + USER_IDS)
        self._numbers = itertools.count()
        self._dialler = EgressDialler()
        self._host: HostSetup | None = None
        self._groups: CgroupTree | None = None
        self._out: set[ContainerSandbox] = set()

    async def probe(self) -> IsolationReport:
        """Run the canaries and return what they could not do."""
        remedy = await asyncio.to_thread(self.remedy)
        if remedy:
            return self._refusal(remedy)
        try:
            layers, sees_gvisor = await self._layers()
        except LaunchFailedError as failure:
            _log.warning("container_unavailable", stage=failure.stage, error=str(failure))
            return self._refusal(f"The runtime {self._options.runtime} could not start a container: {failure.detail}")
        missing = [layer.name for layer in layers if not layer.enforced]
        remedy = f"The runtime does not enforce: {', '.join(missing)}. See the report's details." if missing else ""
        level = IsolationLevel.USER_KERNEL if sees_gvisor else IsolationLevel.NAMESPACES
        return IsolationReport(not missing, remedy, self._name, tuple(layers), level)

    async def create(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> ContainerSandbox:
        """Return an empty sandbox; see the port.

        Raises:
            PreconditionFailed: BACKEND_LACKS, for what needs the namespace backend.
        """
        if spec.egress:
            raise backend_lacks(self._name, "a way out of the sandbox (egress)")
        if spec.read_only_paths or spec.writable_paths:
            raise backend_lacks(self._name, "paths of the host")
        try:
            return await self._create(spec, on_gone)
        except LaunchFailedError as failure:
            _log.error("run_not_started", org_id=spec.org_id, stage=failure.stage, error=str(failure))
            raise run_not_started() from failure

    async def close(self) -> None:
        """Kill every container and wait until nothing of them is left."""
        if self._out:
            await asyncio.gather(*(sandbox.destroy() for sandbox in list(self._out)))
        self._dialler.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._host = None

    @property
    def _name(self) -> str:
        return "gvisor" if self._runtime.is_runsc else "oci"

    def _refusal(self, remedy: str) -> IsolationReport:
        return IsolationReport(available=False, remedy=remedy, backend=self._name, level=IsolationLevel.USER_KERNEL)

    def remedy(self) -> str:
        """Ask the runtime for its version; return what is wrong before any container is started, empty for nothing."""
        remedy = platform_remedy()
        if remedy:
            return remedy
        if os.geteuid() != 0:
            return (
                "Containers are started by root alone: run the sandbox service as root, or unset NEXUS_SANDBOX_RUNSC."
            )
        try:
            self._runtime.version()
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"NEXUS_SANDBOX_RUNSC has to name an OCI runtime such as runsc: {error}."
        return ""

    async def _create(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> ContainerSandbox:
        host = await self._look_once()
        user_id = await self._user_ids.take(spec)
        name = f"{PREFIX}{os.getpid()}-oci-{next(self._numbers)}"
        held: list[ContainerSandbox] = []

        def gone() -> None:
            self._out.difference_update(held)
            self._user_ids.give_back(user_id)
            on_gone()

        try:
            container, group = await asyncio.to_thread(self._start, host, spec, user_id, name)
        except BaseException as error:
            self._user_ids.give_back(user_id)
            if isinstance(error, OSError):
                raise LaunchFailedError("process", error.errno or 0, str(error)) from error
            raise
        sandbox = ContainerSandbox(host, container, group, Around(user_id, self._clock, self._dialler))
        try:
            await self._ready(sandbox, container)
            sandbox.hand_out(spec, gone)
        except BaseException:
            await asyncio.shield(sandbox.destroy())
            self._user_ids.give_back(user_id)
            raise
        held.append(sandbox)
        self._out.add(sandbox)
        return sandbox

    async def _ready(self, sandbox: ContainerSandbox, container: Container) -> None:
        try:
            await sandbox.ready()
        except LaunchFailedError as failure:
            said = await asyncio.to_thread(container.said)
            raise LaunchFailedError(failure.stage, failure.error_number, said or failure.detail) from failure
        if self._runtime.is_runsc and not sandbox.sees_gvisor:
            raise LaunchFailedError("canary", 0, "it says that it is runsc, and its containers see another kernel.")

    def _start(self, host: HostSetup, spec: SandboxSpec, user_id: int, name: str) -> tuple[Container, RunGroup | None]:
        group = self._groups.create(name) if self._groups and self._groups.hierarchies else None
        folder = self._folder / name
        try:
            folder.mkdir(mode=0o700, parents=True)
            blueprint = Blueprints(host).of(spec, user_id)
            write_bundle(folder, blueprint, host.layout.executable, f"/{name}" if group else "")
            return self._runtime.start(name, folder), group
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if group:
                group.remove()
            raise

    async def _look_once(self) -> HostSetup:
        async with self._lock:
            if self._host is None:
                self._host = await asyncio.to_thread(self._look_at_host)
            return self._host

    def _look_at_host(self) -> HostSetup:
        # At the top of the hierarchies, where runtimes look for the path of a group.
        self._groups = CgroupTree.detect(Path("/proc/self/mountinfo").read_text(), "")
        self._groups.sweep()
        self._sweep()
        return HostSetup(
            is_root=os.geteuid() == 0,
            layout=layout_of_this_interpreter(self._options.read_only_paths),
            cgroups=CgroupTree(()),  # a runtime's own needs count in a group, so PID 1 watches the programs' memory
            workspace_bytes=self._options.workspace_bytes,
            workspace_files=self._options.workspace_files,
            cpu_cores=self._options.cpu_cores,
            extra_memory_bytes=_EXTRA_MEMORY_BYTES,
            extra_processes=_EXTRA_PROCESSES,
        )

    def _sweep(self) -> None:
        """Remove what a killed service has left; its containers ended with their pipes."""
        with suppress(OSError):
            for folder in self._options.folder.iterdir():
                if folder.name.isdigit() and not Path("/proc", folder.name).exists():
                    shutil.rmtree(folder, ignore_errors=True)

    async def _layers(self) -> tuple[list[IsolationLayer], bool]:
        """Run the canaries; return the layers, and whether they saw gVisor's kernel.

        Raises:
            LaunchFailedError: when no container can be started.
        """
        hidden = [Path("/etc/shadow"), Path("/etc/hostname"), Path(__file__), *self._options.hidden_paths]
        program = await asyncio.to_thread(canary.facts_program, hidden)
        output, finished, sees_gvisor = await self._collect(program, _PROBE_LIMITS)
        try:
            own = await asyncio.to_thread(canary.own_namespaces)
            layers = contained_layers(json.loads(output), own, sees_gvisor=sees_gvisor)
        except (ValueError, KeyError) as error:
            detail = f"{finished.status.value}, exit code {finished.exit_code}, signal {finished.signal}"
            raise LaunchFailedError("canary", 0, detail) from error
        _, greedy, _ = await self._collect(canary.memory_program(), _GREEDY_LIMITS)
        grouped = self._groups is not None and MEMORY in self._groups.controllers
        memory = IsolationLayer(
            "memory_limit", grouped and greedy.status is Status.OUT_OF_MEMORY, _MEMORY_DETAILS[grouped]
        )
        return [*layers, memory], sees_gvisor

    async def _collect(self, program: Program, limits: RunLimits) -> tuple[bytes, Finished, bool]:
        """Return the standard output of a canary, its end, and whether PID 1 saw gVisor's kernel."""
        sandbox = await self._create(SandboxSpec(_PROBE_ORG, _PROBE_IMAGE, limits), lambda: None)
        output, finished = await run_canary(sandbox, self._new_id(), program)
        return output, finished, sandbox.sees_gvisor
