"""Composition root of the supervisor: prepares the data directory, plans the processes, runs them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from mesh.local_model.settings import LocalModelSettings
from mesh.supervisor.adapters import data_directory, data_lock, tcp_ports
from mesh.supervisor.adapters.health_probe_network import NetworkHealthProbe
from mesh.supervisor.adapters.log_files import LogFiles
from mesh.supervisor.adapters.process_launcher_asyncio import AsyncioLauncher
from mesh.supervisor.adapters.providers_file import provider_key_names
from mesh.supervisor.adapters.state_store_file import StateFile, read_state
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.mesh_plan import PlanInputs, plan_mesh
from mesh.supervisor.domain.port_plan import PortPlan, port_count, ports_from, ports_from_base
from mesh.supervisor.domain.process_spec import ProcessSpec
from mesh.supervisor.domain.restart_policy import RestartPolicy
from mesh.supervisor.settings import SupervisorSettings
from mesh.supervisor.use_cases.run_mesh import MeshIdentity, Observers, RunMesh
from mesh.supervisor.use_cases.stop_signal import StopSignal
from mesh.supervisor.use_cases.watch_process import Machine, Timings
from shared.clock import SystemClock
from shared.errors import PreconditionFailed

_PROVIDERS_FILE_VARIABLE = "NEXUS_ROUTER_PROVIDERS_FILE"


def run(settings: SupervisorSettings, observers: Observers) -> None:
    """Run the mesh in this process until SIGINT, SIGTERM or SIGHUP; a second one kills at once.

    Raises:
        PreconditionFailed: when the mesh cannot start (running already, weights missing, port taken) or does not come
            up. Nothing is left running.
        InvalidInput: when the environment sets what the supervisor decides.
    """
    layout = DataLayout(settings.data)
    data_directory.prepare(layout)
    with data_lock.holding(layout.lock):
        local = LocalModelSettings(key_file=layout.local_model_key)
        _require_weights(local)
        ports = _choose_ports(settings)
        stale = read_state(layout.state)
        with data_directory.socket_directory(layout, stale.socket_dir if stale else "") as sockets:
            specs = plan_mesh(_inputs(settings, layout, local, ports, sockets))
            run_specs(specs, settings, observers, sockets)


def run_specs(
    specs: tuple[ProcessSpec, ...], settings: SupervisorSettings, observers: Observers, sockets: Path
) -> None:
    """Run these processes as a mesh; the data directory is prepared and its lock held.

    Raises:
        PreconditionFailed: when the mesh does not come up.
    """
    asyncio.run(_serve(specs, settings, observers, sockets))


async def _serve(
    specs: tuple[ProcessSpec, ...], settings: SupervisorSettings, observers: Observers, sockets: Path
) -> None:
    layout = DataLayout(settings.data)
    clock = SystemClock()
    identity = MeshIdentity(
        supervisor_pid=os.getpid(),
        started_at=clock.now(),
        data_dir=str(layout.root),
        socket_dir="" if sockets == layout.run else str(sockets),
    )
    stop = StopSignal()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.request)
    store = StateFile(layout.state)
    timings = Timings(start_timeout_s=settings.start_timeout_s, stop_grace_s=settings.stop_grace_s)
    try:
        async with NetworkHealthProbe() as probe:
            machine = Machine(AsyncioLauncher(), probe, LogFiles(), clock)
            mesh = RunMesh(specs, identity, machine, store, RestartPolicy(), timings)
            await mesh.run(stop, observers)
    finally:
        store.remove()


def _require_weights(local: LocalModelSettings) -> None:
    missing = [str(path) for path in (local.chat_file, local.embed_file) if not path.is_file()]
    if missing:
        raise PreconditionFailed(
            "WEIGHTS_MISSING",
            f"The local model's weights are missing: {', '.join(missing)}. "
            "Run `make setup` or `python -m mesh.weights`, then start again.",
        )


def _choose_ports(settings: SupervisorSettings) -> PortPlan:
    if settings.port_base == 0:
        return ports_from(tcp_ports.find_free(port_count(settings.workers)))
    plan = ports_from_base(settings.port_base, settings.workers)
    tcp_ports.require_free(plan.wanted(settings.placed))
    return plan


def _inputs(
    settings: SupervisorSettings, layout: DataLayout, local: LocalModelSettings, ports: PortPlan, sockets: Path
) -> PlanInputs:
    chosen = settings.inherited.get(_PROVIDERS_FILE_VARIABLE)
    providers_file = Path(chosen) if chosen else settings.providers_file
    return PlanInputs(
        layout=layout,
        socket_dir=sockets,
        ports=ports,
        providers_file=providers_file,
        weights_dir=local.weights_dir,
        provider_keys=provider_key_names(providers_file),
        inherited=settings.inherited,
    )
