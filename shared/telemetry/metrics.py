"""The metrics that every server has. Names follow Prometheus; labels are bounded by the contracts."""

from __future__ import annotations

from prometheus_client import Gauge

from shared.telemetry.tally import Counts, Levels, Spreads

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

RPC_SECONDS = Spreads(
    "nexus_rpc_server_duration_seconds",
    "Time to serve an RPC.",
    ["rpc_method", "grpc_code"],
    buckets=_SECONDS,
)
HTTP_SECONDS = Spreads(
    "http_server_request_duration_seconds",
    "Time to serve an HTTP request, its answer's last byte included.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=_SECONDS,
)
HTTP_ACTIVE = Levels("http_server_active_requests", "HTTP requests being served.", ["http_route"])
HTTP_ERRORS = Counts(
    "nexus_http_server_errors_total", "HTTP requests that ended with an error.", ["http_route", "reason"]
)
TASKS = Gauge("nexus_event_loop_tasks", "Tasks of the event loop: a number that only grows is a leak.")
RPC_IN_FLIGHT = Levels("nexus_rpc_server_in_flight", "RPCs being served.", ["rpc_method"])
RPC_ERRORS = Counts("nexus_rpc_server_errors_total", "RPCs that ended with an error.", ["rpc_method", "reason"])
