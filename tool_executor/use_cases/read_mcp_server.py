"""Reads the resources and prompts of MCP servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shared.errors import DeadlineExceeded
from tool_executor.domain.arguments import parse_arguments
from tool_executor.domain.mcp_errors import server_down, server_refused, server_refused_arguments
from tool_executor.domain.mcp_result import PromptMessage, ResourceContent
from tool_executor.domain.mcp_server import McpFailure, McpRefusal
from tool_executor.domain.tool_call import ToolFailure
from tool_executor.ports.mcp_connections import McpConnections

_TIMEOUT_S = 25.0


class ReadMcpServer:
    """Reads a resource, or a prompt with its arguments filled in."""

    def __init__(self, connections: McpConnections) -> None:
        self._connections = connections

    async def resource(self, org_id: str, name: str, uri: str) -> ResourceContent:
        """Return what the resource at `uri` says. Idempotent.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            InvalidInput: MCP_REQUEST_REFUSED.
            UpstreamDown: MCP_SERVER_DOWN, MCP_REQUEST_FAILED.
        """
        connection = self._connections.connection(org_id, name)
        async with _told(name):
            return await connection.read_resource(uri, _TIMEOUT_S)

    async def prompt(self, org_id: str, name: str, prompt: str, arguments_json: str) -> tuple[PromptMessage, ...]:
        """Return the prompt, filled in. Idempotent.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            InvalidInput: MCP_REQUEST_REFUSED.
            UpstreamDown: MCP_SERVER_DOWN, MCP_REQUEST_FAILED.
        """
        try:
            arguments = parse_arguments(arguments_json)
        except ToolFailure as failure:
            raise server_refused_arguments(name, failure.summary) from failure
        if not all(isinstance(value, str) for value in arguments.values()):
            raise server_refused_arguments(name, "every argument of a prompt must be a text.")
        connection = self._connections.connection(org_id, name)
        async with _told(name):
            return await connection.get_prompt(prompt, arguments, _TIMEOUT_S)


@asynccontextmanager
async def _told(name: str) -> AsyncGenerator[None, None]:
    """Turn what a server does wrong into errors of the taxonomy."""
    try:
        yield
    except McpFailure as failure:
        raise server_down(name, failure.message) from failure
    except McpRefusal as refusal:
        if refusal.is_timeout:
            raise DeadlineExceeded(
                "MCP_REQUEST_TIMEOUT", f"The MCP server {name!r} did not answer in time."
            ) from refusal
        if refusal.blames_arguments:
            raise server_refused_arguments(name, refusal.message) from refusal
        raise server_refused(name, refusal.message) from refusal
