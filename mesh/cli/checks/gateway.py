"""Checks that the HTTP surfaces answer."""

from __future__ import annotations

import asyncio
import http.client

from mesh.cli.checks.finding import Finding, fail, ok
from mesh.supervisor.domain.mesh_state import MeshState

_TIMEOUT_S = 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing is bound here


async def check_gateway(mesh: MeshState) -> list[Finding]:
    """Return whether they answer at their address."""
    if not mesh.http_address:
        return [ok("http", "switched off")]
    problem = await asyncio.to_thread(gateway_problem, mesh.http_address)
    if problem:
        return [fail("http", f"http://{mesh.http_address}: {problem}", "See the router's log.")]
    return [ok("http", f"answers at http://{mesh.http_address}")]


def gateway_problem(address: str) -> str:
    """Return what keeps the surfaces at `address` from answering; empty where they do. Blocks for some seconds."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(f"{_ANY.get(host, host)}:{port}", timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"HTTP status {status}"
