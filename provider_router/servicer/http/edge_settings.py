"""How the HTTP surfaces are served."""

from __future__ import annotations

from dataclasses import dataclass

from shared.http_server.limits import Limits
from shared.telemetry.tracing import Sampling


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """How the HTTP surfaces are served.

    Attributes:
        host: Name or address to listen at, without brackets.
        port: To listen at; 0 for any free one.
        shared_port: Whether other processes listen at it too.
        body_bytes: Most of one body.
        calls_per_key: That may be open at this process.
        bytes_per_key: Of the bodies of those calls.
        heartbeat_s: Silence after which a stream shows that it is alive.
        sampling: Says which requests are recorded in traces.
        limits: Of the server under it.
    """

    host: str
    port: int
    shared_port: bool
    body_bytes: int
    calls_per_key: int
    bytes_per_key: int
    heartbeat_s: float
    sampling: Sampling
    limits: Limits
