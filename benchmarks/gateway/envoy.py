"""Envoy: the reference of the ratios. It passes requests on unread, with one worker and no access log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from benchmarks.gateway.candidate import Candidate, NotInstalledError, Stage
from benchmarks.gateway.children import child, free_port, tree
from benchmarks.gateway.job import Endpoint

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
_MOST = 100_000


@contextmanager
def envoy(stage: Stage) -> Generator[Candidate]:
    """Run Envoy with one worker."""
    program = stage.references / "envoy" / "bin" / "envoy"
    found = str(program) if program.exists() else shutil.which("envoy")
    if found is None:
        raise NotInstalledError("Envoy: `python -m benchmarks.gateway --setup` installs it")
    whole, events = free_port(), free_port()
    file = stage.folder / "envoy.json"
    file.write_text(json.dumps(_configuration({whole: stage.whole_port, events: stage.events_port})))
    command = [found, "-c", str(file), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn"]
    with child(command, stage.folder / "envoy.log", [whole, events], stage.cores.measured) as process:
        yield Candidate(tuple(tree(process)), Endpoint(whole), Endpoint(events))


def _configuration(ports: dict[int, int]) -> dict[str, Any]:
    return {
        "static_resources": {
            "listeners": [_listener(port) for port in ports],
            "clusters": [_cluster(port, to) for port, to in ports.items()],
        }
    }


def _listener(port: int) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": f"c{port}", "timeout": "0s"}}
    manager = {
        "@type": _MANAGER,
        "stat_prefix": f"l{port}",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {"name": f"l{port}", "address": _address(port), "filter_chains": [{"filters": filters}]}


def _cluster(port: int, to: int) -> dict[str, Any]:
    thresholds = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), _MOST)
    return {
        "name": f"c{port}",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [thresholds]},
        "load_assignment": {
            "cluster_name": f"c{port}",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(to)}}]}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
