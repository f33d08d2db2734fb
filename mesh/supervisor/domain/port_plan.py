"""Which TCP ports on loopback the mesh uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.supervisor.domain.services import SERVICES

LOOPBACK = "127.0.0.1"
DEFAULT_GRPC_BASE = 50054
DEFAULT_METRICS_BASE = 9154
# With --port-base N, metrics are at N + 100 and up; the local model's two servers are at N + 7 and N + 8.
_METRICS_OFFSET = 100
_LOCAL_MODEL_OFFSET = 7
LARGEST_PORT_BASE = 65535 - _METRICS_OFFSET - len(SERVICES)
PORT_COUNT = 2 * len(SERVICES) + 2


@dataclass(frozen=True, slots=True)
class PortPlan:
    """The ports of each service by name, and those of the local model's two servers."""

    grpc: Mapping[str, int]
    metrics: Mapping[str, int]
    local_chat: int
    local_embed: int

    def wanted(self) -> Mapping[int, str]:
        """Return what each port is for."""
        return {
            **{port: name for name, port in self.grpc.items()},
            **{port: f"{name} metrics" for name, port in self.metrics.items()},
            self.local_chat: "local chat model",
            self.local_embed: "local embedding model",
        }


def ports_from_base(base: int) -> PortPlan:
    """Return the ports counted from `base`, 1 to LARGEST_PORT_BASE; the defaults for the default base."""
    metrics = DEFAULT_METRICS_BASE if base == DEFAULT_GRPC_BASE else base + _METRICS_OFFSET
    return PortPlan(
        grpc={service.name: base + i for i, service in enumerate(SERVICES)},
        metrics={service.name: metrics + i for i, service in enumerate(SERVICES)},
        local_chat=base + _LOCAL_MODEL_OFFSET,
        local_embed=base + _LOCAL_MODEL_OFFSET + 1,
    )


def ports_from(free: Sequence[int]) -> PortPlan:
    """Return a plan of `PORT_COUNT` ports that were found free."""
    count = len(SERVICES)
    return PortPlan(
        grpc={service.name: port for service, port in zip(SERVICES, free[:count], strict=True)},
        metrics={service.name: port for service, port in zip(SERVICES, free[count : 2 * count], strict=True)},
        local_chat=free[2 * count],
        local_embed=free[2 * count + 1],
    )
