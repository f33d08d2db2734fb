"""Checks that what speaks HTTP to callers answers: the router's surfaces and the MCP endpoint."""

from __future__ import annotations

import asyncio
import http.client

from mesh.cli.checks.finding import Finding, fail, ok
from mesh.supervisor.domain.mesh_state import MeshState

MCP_PATH = "/mcp"
_TIMEOUT_S = 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - nothing is bound here


async def check_gateway(mesh: MeshState) -> list[Finding]:
    """Return whether each answers at its address."""
    return [
        await _check("http", mesh.http_address, "", "See the router's log."),
        await _check("mcp", mesh.mcp_address, MCP_PATH, "See the log of mcp."),
    ]


async def _check(name: str, address: str, path: str, remedy: str) -> Finding:
    if not address:
        return ok(name, "switched off")
    problem = await asyncio.to_thread(gateway_problem, address)
    if problem:
        return fail(name, f"http://{address}{path}: {problem}", remedy)
    return ok(name, f"answers at http://{address}{path}")


def gateway_problem(address: str) -> str:
    """Return what keeps the server at `address` from answering; empty where it does. Blocks for some seconds."""
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
