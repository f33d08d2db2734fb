"""Turns the table of services, the data directory and the ports into the processes to start."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.environment import basic_environment, with_overrides
from mesh.supervisor.domain.port_plan import LOOPBACK, PortPlan
from mesh.supervisor.domain.process_spec import GrpcProbe, HttpProbe, ProcessSpec
from mesh.supervisor.domain.services import (
    LOCAL_MODEL,
    LOCAL_MODEL_PACKAGE,
    LOCAL_MODEL_PREFIX,
    MCP,
    ORCHESTRATOR,
    ROUTER,
    SERVICES,
    ServiceDefinition,
)

HTTP_LISTEN = {ROUTER: "NEXUS_ROUTER_HTTP_LISTEN", MCP: "NEXUS_MCP_HTTP_LISTEN"}
"""Where callers find what speaks HTTP, which the user may decide: these ways in are meant for other machines, too."""
# Who stops before whom; see ProcessSpec. Whoever waits at the edge for a run has it cancelled while there is somebody
# to do it, and routers have answers of the local model under way until they end.
_STOP_TURNS = {MCP: 0, ORCHESTRATOR: 1}
_STOP_TURN, _LAST_STOP_TURN = 2, 3


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """All that decides how the processes are started.

    Attributes:
        layout: the data directory.
        socket_dir: where the sockets are; `layout.run` unless that path is too long.
        ports: the TCP ports.
        providers_file: the router's configuration.
        weights_dir: where the local model's weights are.
        provider_keys: names of the variables that hold provider keys; given to the router alone.
        inherited: the environment of the supervisor.
    """

    layout: DataLayout
    socket_dir: Path
    ports: PortPlan
    providers_file: Path
    weights_dir: Path
    provider_keys: Collection[str]
    inherited: Mapping[str, str] = field(repr=False)


def plan_mesh(inputs: PlanInputs) -> tuple[ProcessSpec, ...]:
    """Return the processes of the mesh: the services, the routers beside the first, then the local model.

    The MCP server is not among them where its address is set to nothing.

    Raises:
        InvalidInput: when the user's environment sets what the supervisor decides.
    """
    ports = inputs.ports
    services = [
        _service(
            service,
            _Place(service.name, ports.metrics[service.name], f"{LOOPBACK}:{ports.grpc[service.name]}"),
            inputs,
        )
        for service in SERVICES
        if service.name != MCP or inputs.inherited.get(HTTP_LISTEN[MCP]) != ""
    ]
    # The first router has the known addresses. The others are there for the HTTP surfaces alone; the sockets they have
    # are for checks of their health.
    router = next(service for service in SERVICES if service.name == ROUTER)
    further = [
        _service(router, _Place(f"{ROUTER}-{number}", port), inputs)
        for number, port in enumerate(ports.further_metrics, 2)
    ]
    return (*services, *further, _local_model(inputs))


@dataclass(frozen=True, slots=True)
class _Place:
    """One process of a service: its name and ports; `tcp` is empty for none."""

    name: str
    metrics_port: int
    tcp: str = ""


def _service(service: ServiceDefinition, place: _Place, inputs: PlanInputs) -> ProcessSpec:
    socket = inputs.socket_dir / f"{place.name}.sock"
    own = {
        "DATA_DIR": str(inputs.layout.root),
        "LISTEN": f"unix:{socket}{',' if place.tcp else ''}{place.tcp}",
        "METRICS_PORT": str(place.metrics_port),
        "MESH_KEY_FILE": str(inputs.layout.mesh_key),
        **_peers(inputs.socket_dir),
    }
    if service.name == ROUTER:
        own |= _local_model_access(inputs) | {"HTTP_SHARED_PORT": str(bool(inputs.ports.further_metrics)).lower()}
    environment = with_overrides(_prefixed(service.prefix, own), inputs.inherited, service.prefix)
    if service.name == ROUTER:
        environment.setdefault(f"{service.prefix}PROVIDERS_FILE", str(inputs.providers_file))
        environment |= {key: inputs.inherited[key] for key in inputs.provider_keys if key in inputs.inherited}
    if service.name in HTTP_LISTEN:
        environment.setdefault(HTTP_LISTEN[service.name], f"{LOOPBACK}:{inputs.ports.http[service.name]}")
    return ProcessSpec(
        name=place.name,
        module=service.package,
        environment=basic_environment(inputs.inherited) | environment,
        log_file=inputs.layout.logs / f"{place.name}.log",
        probes=(GrpcProbe(f"unix:{socket}"),),
        address=f"unix:{socket}",
        tcp_address=place.tcp,
        metrics_address=f"{LOOPBACK}:{place.metrics_port}",
        http_address=environment.get(HTTP_LISTEN.get(service.name, ""), ""),
        stop_turn=_STOP_TURNS.get(service.name, _STOP_TURN),
        sockets=(socket,),
    )


def _prefixed(prefix: str, values: Mapping[str, str]) -> dict[str, str]:
    return {prefix + name: value for name, value in values.items()}


def _peers(socket_dir: Path) -> dict[str, str]:
    return {f"{peer.name.upper()}_ADDRESS": f"unix:{socket_dir / peer.name}.sock" for peer in SERVICES}


def _local_model_access(inputs: PlanInputs) -> dict[str, str]:
    return {
        "LOCAL_CHAT_URL": f"http://{LOOPBACK}:{inputs.ports.local_chat}/v1",
        "LOCAL_EMBED_URL": f"http://{LOOPBACK}:{inputs.ports.local_embed}/v1",
        "LOCAL_KEY_FILE": str(inputs.layout.local_model_key),
    }


def _local_model(inputs: PlanInputs) -> ProcessSpec:
    ports = inputs.ports
    own = {
        "CHAT_PORT": str(ports.local_chat),
        "EMBED_PORT": str(ports.local_embed),
        "KEY_FILE": str(inputs.layout.local_model_key),
    }
    environment = with_overrides(_prefixed(LOCAL_MODEL_PREFIX, own), inputs.inherited, LOCAL_MODEL_PREFIX)
    environment.setdefault(f"{LOCAL_MODEL_PREFIX}WEIGHTS_DIR", str(inputs.weights_dir))
    return ProcessSpec(
        name=LOCAL_MODEL,
        module=LOCAL_MODEL_PACKAGE,
        environment=basic_environment(inputs.inherited) | environment,
        log_file=inputs.layout.logs / f"{LOCAL_MODEL}.log",
        probes=(HttpProbe(LOOPBACK, ports.local_chat), HttpProbe(LOOPBACK, ports.local_embed)),
        address=f"http://{LOOPBACK}:{ports.local_chat}",
        tcp_address=f"{LOOPBACK}:{ports.local_chat}",
        stop_turn=_LAST_STOP_TURN,
    )
