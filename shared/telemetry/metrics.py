"""The metrics that every server has. Names follow Prometheus; labels are bounded by the contracts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

RPC_SECONDS = Histogram(
    "nexus_rpc_server_duration_seconds",
    "Time to serve an RPC.",
    ["rpc_method", "grpc_code"],
    buckets=_SECONDS,
)
RPC_IN_FLIGHT = Gauge("nexus_rpc_server_in_flight", "RPCs being served.", ["rpc_method"])
RPC_ERRORS = Counter("nexus_rpc_server_errors_total", "RPCs that ended with an error.", ["rpc_method", "reason"])
