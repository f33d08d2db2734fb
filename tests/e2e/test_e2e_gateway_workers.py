"""Two routers share the port of the HTTP surfaces, with a plain HTTP client in front of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from mesh_fixtures import providers_yaml

from shared.testing.running_mesh import RunningMesh, running_mesh

CHAT = "/v1/chat/completions"
BODY = {"model": "nexus/auto", "max_tokens": 4, "messages": [{"role": "user", "content": "Say hello."}]}


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMesh]:
    """A mesh with two routers and the local model."""
    folder = tmp_path_factory.mktemp("workers")
    file = folder / "providers.yaml"
    file.write_text(providers_yaml())
    with running_mesh(folder / "data", file, os.environ, {"NEXUS_WORKERS": "2"}) as running:
        yield running


def url_of(mesh: RunningMesh) -> str:
    return f"http://{mesh.process('router')['http_address']}"


def client(mesh: RunningMesh) -> httpx.Client:
    """A client as its owner, with a new connection for each request."""
    headers = {"authorization": f"Bearer {mesh.owner_key()}", "connection": "close"}
    return httpx.Client(base_url=url_of(mesh), headers=headers, timeout=30)


def models_served_by(mesh: RunningMesh, name: str) -> float:
    """How many lists of models a router gave, by its own metrics."""
    metrics = httpx.get(f"http://{mesh.process(name)['metrics_address']}/metrics").text
    wanted = 'http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",'
    wanted += 'http_route="/v1/models"}'
    found = [line for line in metrics.splitlines() if line.startswith(wanted)]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def test_a_plain_client_is_answered_whole_and_streamed(workers: RunningMesh) -> None:
    with client(workers) as http:
        whole = http.post(CHAT, json=BODY)
        assert whole.status_code == 200
        assert whole.headers["x-nexus-model"] == "local/chat"
        assert whole.headers["x-nexus-decision-id"]
        assert whole.json()["choices"][0]["message"]["content"]
        streamed = http.post(CHAT, json={**BODY, "stream": True})
        assert streamed.headers["content-type"].startswith("text/event-stream")
        data = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line.startswith("data: ")]
        assert data[-1] == "[DONE]"
        assert all(orjson.loads(each)["object"] == "chat.completion.chunk" for each in data[:-1])
        refused = http.post(CHAT, json=BODY, headers={"authorization": "Bearer nxk_nobodys"})
        assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")


def test_the_command_line_tells_where_the_surfaces_are(workers: RunningMesh) -> None:
    assert f"{url_of(workers)} · answers" in workers.cli("status").stdout + workers.cli("status").stderr
    (doctor,) = workers.cli_json("doctor")
    assert {"check": "http", "level": "ok", "detail": f"answers at {url_of(workers)}", "remedy": ""} in doctor["checks"]


def test_connections_are_spread_over_both_and_a_killed_one_is_missed_by_nobody(workers: RunningMesh) -> None:
    with client(workers) as http:
        for _ in range(40):
            assert http.get("/v1/models").status_code == 200
        served = [models_served_by(workers, name) for name in ("router", "router-2")]
        assert sum(served) == 40
        assert min(served) > 0
        os.kill(workers.pids()["router-2"], signal.SIGKILL)
        for _ in range(20):
            # A connection that was made to the killed one is lost with it; the next one is not.
            try:
                assert http.get("/v1/models").status_code == 200
            except httpx.TransportError:
                assert http.get("/v1/models").status_code == 200
    workers.wait_for(lambda state: state["phase"] == "ready" and _restarts(state) == [0, 1], 30)


def _restarts(state: dict[str, Any]) -> list[int]:
    return [each["restarts"] for each in state["services"] if each["name"].startswith("router")]
