"""Checks that the local model answers: at its own address, since a call through the router is a decision."""

from __future__ import annotations

import asyncio
import http.client
import json
import time

from mesh.cli.checks.finding import Finding, fail, ok
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.mesh_state import MeshState
from mesh.supervisor.domain.services import LOCAL_MODEL

_TIMEOUT_S = 30.0
_ASKED = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}


async def check_local_model(mesh: MeshState, layout: DataLayout) -> list[Finding]:
    """Return whether it answers a chat, and how fast."""
    entry = mesh.service(LOCAL_MODEL)
    if entry is None:
        return [ok("local model", "none runs")]
    began = time.monotonic()
    try:
        key = layout.local_model_key.read_text(encoding="utf-8").strip()
        model = await asyncio.to_thread(_answered_by, entry.tcp_address, key)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return [fail("local model", f"it does not answer a chat: {error}", f"See {entry.log_file}.")]
    return [ok("local model", f"{model} answers in {(time.monotonic() - began) * 1000:.0f} ms")]


def _answered_by(address: str, key: str) -> str:
    """Ask, and return the name of the model. Blocks for at most half a minute without a byte."""
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(_ASKED), headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise ValueError(f"HTTP status {response.status}")
        return str(json.loads(response.read())["model"])
    finally:
        connection.close()
