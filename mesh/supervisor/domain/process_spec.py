"""What a process of the mesh is: data that an adapter can start and a probe can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """Healthy when `grpc.health.v1.Health/Check` at `address` (`unix:/path` or `host:port`) says SERVING."""

    address: str


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Healthy when `GET path` at `host:port` answers 200."""

    host: str
    port: int
    path: str = "/health"


Probe = GrpcProbe | HttpProbe


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process of the mesh.

    Attributes:
        name: unique in the mesh, for example `tools`.
        module: the package that `python -m` runs.
        environment: its whole environment; secrets are paths of files in it, provider keys excepted.
        log_file: where its output goes.
        probes: it is healthy when all of them are.
        address: where peers and the CLI reach it.
        tcp_address: `host:port` for tools on this machine; empty for none.
        metrics_address: `host:port` of `/metrics`; empty for none.
        http_address: `host:port` of its HTTP surfaces; empty for none.
        stop_turn: it is asked to stop when all those of lower turns have ended, since they need it to leave their work
            in order.
        sockets: paths of the unix sockets that it makes; stale ones are removed before it starts.
    """

    name: str
    module: str
    environment: Mapping[str, str] = field(repr=False)
    log_file: PurePath
    probes: tuple[Probe, ...]
    address: str
    tcp_address: str = ""
    metrics_address: str = ""
    http_address: str = ""
    stop_turn: int = 1
    sockets: tuple[PurePath, ...] = ()
