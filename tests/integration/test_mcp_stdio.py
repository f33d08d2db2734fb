"""MCP servers that are programs in the sandbox: a real one, over the sandbox's contract."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.net.lookup import looked_up
from shared.testing.harness import serving
from shared.testing.process_sandbox import ProcessSandbox
from tool_executor.adapters.mcp.connection import SdkConnection
from tool_executor.adapters.mcp.limits import McpLimits, McpSurroundings
from tool_executor.adapters.mcp_connector_sdk import SdkMcpConnector
from tool_executor.domain.mcp_server import McpFailure, Secret, ServerSpec, StdioTransport

TESTS = Path(__file__).parents[1]


def program(**environment: str) -> ServerSpec:
    values = {"TOKEN": "s3cret-token", "PYTHONPATH": str(TESTS), **environment}
    secrets = tuple(Secret(name, value) for name, value in values.items())
    return ServerSpec("s", StdioTransport((sys.executable, str(TESTS / "mcp_stdio_server.py")), secrets, ("/data",)))


@asynccontextmanager
async def connected(sandbox: ProcessSandbox, spec: ServerSpec) -> AsyncGenerator[SdkConnection, None]:
    async with serving(sandbox.service()) as served:
        connector = SdkMcpConnector(McpSurroundings(served.channel, looked_up), McpLimits())
        async with connector.connect("org-b", spec) as connection:
            yield connection


async def failure(sandbox: ProcessSandbox, spec: ServerSpec, limits: McpLimits | None = None) -> McpFailure:
    async with serving(sandbox.service()) as served:
        connector = SdkMcpConnector(McpSurroundings(served.channel, looked_up), limits or McpLimits())
        with pytest.raises(McpFailure) as caught:
            await connector.connect("org-b", spec).__aenter__()
    return caught.value


async def test_a_program_in_the_sandbox_serves_its_tools_and_ends_with_the_connection() -> None:
    sandbox = ProcessSandbox()
    # What it says before that nobody needs is not even parsed.
    async with connected(sandbox, program(MODE="wordy")) as connection:
        (started,) = sandbox.started.values()
        assert (started.principal.org_id, started.principal.user_id) == ("org-b", "service:tools")
        assert started.principal.permissions == {"sandbox.processes"}
        assert list(started.request.read_only_paths) == ["/data"]
        assert not any("s3cret" in word for word in started.request.argv)
        offer = await connection.offer()
        assert len(offer.tools) == 6
        assert (await connection.call_tool("addNumbers", {"a": 20, "b": 22}, 5)).structured == {"result": 42}
        assert (await connection.call_tool("token", {}, 5)).structured == {"result": "s3cret-token"}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.call_tool("hang", {}, 30), 0.1)
        assert (await connection.call_tool("addNumbers", {"a": 1, "b": 1}, 5)).structured == {"result": 2}
    assert started.process.returncode is not None


async def test_a_program_that_ends_is_told_with_its_complaints_but_not_its_secrets() -> None:
    sandbox = ProcessSandbox()
    failed = await failure(sandbox, program(MODE="dies"))
    assert failed.message == "its program ended with exit code 3"
    assert failed.detail == "starting with ***"


async def test_a_line_without_an_end_stops_the_program() -> None:
    sandbox = ProcessSandbox()
    failed = await failure(sandbox, program(MODE="endless"), McpLimits(message_bytes=1_000_000))
    assert failed.message == "it writes a line that is too long"
    (started,) = sandbox.started.values()
    assert started.process.returncode is not None


async def test_a_line_of_too_many_values_stops_the_program() -> None:
    sandbox = ProcessSandbox()
    assert (await failure(sandbox, program(MODE="many"))).message == "it writes a line with too many values"


async def test_a_program_that_only_ends_is_told_to_have_ended() -> None:
    spec = ServerSpec("s", StdioTransport(("sleep", "0")))
    assert (await failure(ProcessSandbox(), spec)).message == "its program ended with exit code 0"


async def test_without_isolation_nothing_is_started_and_the_remedy_is_told() -> None:
    sandbox = ProcessSandbox()
    sandbox.remedy = "Allow user namespaces."
    assert (await failure(sandbox, program())).message == "the sandbox does not start it: Allow user namespaces."
    assert sandbox.started == {}
