"""Which TCP ports on loopback the mesh uses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mesh.supervisor.domain.services import MCP, ROUTER, SERVICES

LOOPBACK = "127.0.0.1"
DEFAULT_GRPC_BASE = 50054
DEFAULT_METRICS_BASE = 9154
DEFAULT_HTTP = {ROUTER: 8055, MCP: 8056}
MOST_WORKERS = 32
# With --port-base N, metrics are at N + 100 and up; the local model's two servers are at N + 7 and N + 8, the
# router's HTTP surfaces at N + 9, and the MCP endpoint at N + 10.
_METRICS_OFFSET = 100
_LOCAL_MODEL_OFFSET = 7
_HTTP_OFFSETS = {ROUTER: 9, MCP: 10}
_HTTP_PURPOSES = {ROUTER: "HTTP surfaces", MCP: "MCP endpoint"}
LARGEST_PORT_BASE = 65535 - _METRICS_OFFSET - len(SERVICES) - MOST_WORKERS


@dataclass(frozen=True, slots=True)
class PortPlan:
    """The ports of a mesh.

    Attributes:
        grpc: Of each service, by name.
        metrics: Of each service, by name.
        local_chat: Of the local chat model.
        local_embed: Of the local embedding model.
        http: Of what speaks HTTP to callers, by the service's name: the router's surfaces and the MCP endpoint.
        further_metrics: Of the routers beside the first.
    """

    grpc: Mapping[str, int]
    metrics: Mapping[str, int]
    local_chat: int
    local_embed: int
    http: Mapping[str, int]
    further_metrics: tuple[int, ...] = ()

    def wanted(self, placed: Collection[str] = ()) -> Mapping[int, str]:
        """Return what each port is for, without the HTTP ports of those in `placed`, which are elsewhere."""
        return {
            **{port: name for name, port in self.grpc.items()},
            **{port: f"{name} metrics" for name, port in self.metrics.items()},
            self.local_chat: "local chat model",
            self.local_embed: "local embedding model",
            **{port: _HTTP_PURPOSES[name] for name, port in self.http.items() if name not in placed},
            **{port: f"router-{number} metrics" for number, port in enumerate(self.further_metrics, 2)},
        }


def port_count(workers: int = 1) -> int:
    """Return how many ports a mesh with so many routers needs."""
    return 2 * len(SERVICES) + 2 + len(DEFAULT_HTTP) + workers - 1


def ports_from_base(base: int, workers: int = 1) -> PortPlan:
    """Return the ports counted from `base`, 1 to LARGEST_PORT_BASE; the defaults for the default base."""
    is_default = base == DEFAULT_GRPC_BASE
    metrics = DEFAULT_METRICS_BASE if is_default else base + _METRICS_OFFSET
    further = metrics + len(SERVICES)
    return PortPlan(
        grpc={service.name: base + i for i, service in enumerate(SERVICES)},
        metrics={service.name: metrics + i for i, service in enumerate(SERVICES)},
        local_chat=base + _LOCAL_MODEL_OFFSET,
        local_embed=base + _LOCAL_MODEL_OFFSET + 1,
        http=DEFAULT_HTTP if is_default else {name: base + offset for name, offset in _HTTP_OFFSETS.items()},
        further_metrics=tuple(range(further, further + workers - 1)),
    )


def ports_from(free: Sequence[int]) -> PortPlan:
    """Return a plan of ports that were found free; `port_count` says how many there must be."""
    count = len(SERVICES)
    http = 2 * count + 2
    return PortPlan(
        grpc={service.name: port for service, port in zip(SERVICES, free[:count], strict=True)},
        metrics={service.name: port for service, port in zip(SERVICES, free[count : 2 * count], strict=True)},
        local_chat=free[2 * count],
        local_embed=free[2 * count + 1],
        http=dict(zip(DEFAULT_HTTP, free[http:], strict=False)),
        further_metrics=tuple(free[http + len(DEFAULT_HTTP) :]),
    )
