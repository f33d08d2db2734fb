"""The MCP server of a mesh as `nexus up` starts it, for the official client."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh


@asynccontextmanager
async def connected(mesh: RunningMesh, mode: str) -> AsyncGenerator[Client, None]:
    url = f"http://{mesh.process('mcp')['http_address']}/mcp"
    headers = {"Authorization": f"Bearer {mesh.owner_key()}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_tools_and_the_agent_are_there_for_mcp_clients(mesh: RunningMesh, mode: str) -> None:
    told: list[str | None] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with connected(mesh, mode) as client:
        assert {"ask_agent", "calculator"} <= {tool.name for tool in (await client.list_tools()).tools}
        sum_ = await client.call_tool("calculator", {"expression": "23*17 + sqrt(144)"})
        assert (sum_.is_error, sum_.structured_content["result"]) == (False, "403")
        wrong = await client.call_tool("calculator", {"expression": 5})
        assert (wrong.is_error, wrong.meta["nexus/reason"]) == (True, "ARGUMENTS_INVALID")
        answer = await client.call_tool("ask_agent", {"question": "What is 6*7?"}, progress_callback=tell)
    assert "42" in answer.content[0].text
    assert any("calculator" in (text or "") for text in told)
    async with AgentClient(mesh) as agent:
        runs = {run.run_id: run.conversation_id for run in await agent.runs()}
    assert runs[answer.structured_content["run_id"]] == answer.structured_content["conversation_id"]


def test_people_find_it(mesh: RunningMesh) -> None:
    address = mesh.process("mcp")["http_address"]
    assert f"http://{address}/mcp · answers" in mesh.cli("status").stderr
