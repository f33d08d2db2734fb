"""The port of the metrics is open to every user of the machine; holding it open costs the service next to nothing."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest

from mesh.supervisor.adapters.tcp_ports import find_free
from shared.telemetry import metrics_server
from shared.telemetry.metrics_server import MOST_CONNECTIONS, start_metrics_server


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.5)
    port = find_free(1)[0]
    server = start_metrics_server(port)
    yield port
    server.shutdown()
    server.server_close()


def read(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        return reply.read()


def test_metrics_are_served(port: int) -> None:
    assert b"nexus_rpc_server_in_flight" in read(port)


def test_silent_connections_are_few_and_are_dropped(port: int) -> None:
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(MOST_CONNECTIONS * 4)]
    time.sleep(0.2)
    assert threading.active_count() - before <= MOST_CONNECTIONS
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before
    assert b"nexus_rpc_server_in_flight" in read(port)
    for connection in silent:
        connection.close()
