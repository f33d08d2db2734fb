"""Reads the resources and prompts of MCP servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shared.auth.principal import Principal
from shared.errors import DeadlineExceeded
from tool_executor.domain.arguments import canonical, parse_arguments
from tool_executor.domain.mcp_errors import server_down, server_refused, server_refused_arguments
from tool_executor.domain.mcp_result import PromptMessage, ResourceContent
from tool_executor.domain.mcp_server import McpFailure, McpRefusal, RegisteredServer
from tool_executor.domain.tool_call import CallContext, ToolFailure
from tool_executor.domain.tool_decision import ToolDecision
from tool_executor.domain.tool_definition import JsonObject, SideEffect, ToolDefinition
from tool_executor.ports.mcp_connection import McpConnection
from tool_executor.ports.mcp_connections import McpConnections
from tool_executor.use_cases.authorize_call import AuthorizeCall
from tool_executor.use_cases.note_call import NoteCall

_TIMEOUT_S = 25.0
_ANYTHING: JsonObject = {"type": "object"}


class ReadMcpServer:
    """Reads a resource, or a prompt with its arguments filled in: to policies and the audit a call of `mcp:<server>`.

    Args:
        connections: to the servers.
        authorize: lets readings through or refuses them.
        note: writes down what a server may take for more than reading.
    """

    def __init__(self, connections: McpConnections, authorize: AuthorizeCall, note: NoteCall) -> None:
        self._connections = connections
        self._authorize = authorize
        self._note = note

    async def resource(self, principal: Principal, name: str, uri: str) -> ResourceContent:
        """Return what the resource at `uri` says. Idempotent.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            PreconditionFailed: TOOL_DISABLED.
            Forbidden: TOOL_BLOCKED, with the policies that decided.
            InvalidInput: MCP_REQUEST_REFUSED.
            QuotaExceeded: TOOL_BUSY.
            UpstreamDown: MCP_SERVER_DOWN, MCP_REQUEST_FAILED; when policies are not known, or it cannot be audited.
        """
        connection = await self._permitted(principal, name, {"uri": uri})
        async with _told(name):
            return await connection.read_resource(uri, _TIMEOUT_S)

    async def prompt(
        self, principal: Principal, name: str, prompt: str, arguments_json: str
    ) -> tuple[PromptMessage, ...]:
        """Return the prompt, filled in. Idempotent.

        Raises:
            NexusError: as `resource` does.
        """
        try:
            arguments = parse_arguments(arguments_json)
            canonical(arguments)
        except ToolFailure as failure:
            raise server_refused_arguments(name, failure.summary) from failure
        if not all(isinstance(value, str) for value in arguments.values()):
            raise server_refused_arguments(name, "every argument of a prompt must be a text.")
        connection = await self._permitted(principal, name, {"prompt": prompt, "arguments": arguments})
        async with _told(name):
            return await connection.get_prompt(prompt, arguments, _TIMEOUT_S)

    async def _permitted(self, principal: Principal, name: str, arguments: JsonObject) -> McpConnection:
        """Return the connection over which it may be read."""
        definition = _definition(self._connections.view(principal.org_id, name).server)
        context = CallContext(principal, "UTC", _TIMEOUT_S, "")
        policies = await self._authorize(definition, arguments, context)
        connection = self._connections.connection(principal.org_id, name)
        if definition.side_effect is not SideEffect.READ:
            let_through = ToolDecision(enabled=True, allowed=True, policies=policies)
            await self._note(definition.name, context, let_through)
        return connection


def _definition(server: RegisteredServer) -> ToolDefinition:
    """Return what reading from `server` is to policies: with as little trust in it as in calls of its tools."""
    source = f"mcp:{server.spec.name}"
    return ToolDefinition(
        name=source,
        version="1.0.0",
        description="Reads resources and prompts.",
        input_schema=_ANYTHING,
        output_schema=_ANYTHING,
        side_effect=server.spec.default_side_effect or SideEffect.EXTERNAL,
        timeout_s=_TIMEOUT_S,
        max_concurrency=1,
        examples=(),
        owner=server.user_id,
        source=source,
    )


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
