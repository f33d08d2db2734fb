"""MCP servers as sources of tools that can be asked again."""

from __future__ import annotations

from collections.abc import Sequence

from tool_executor.adapters.mcp_connections_supervised import source_of
from tool_executor.domain.mcp_server import ServerState, ServerView
from tool_executor.domain.tool_source import SourceId
from tool_executor.ports.mcp_connections import McpConnections
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_source import ToolSource


class McpToolSource:
    """Asks one server."""

    def __init__(self, connections: McpConnections, view: ServerView) -> None:
        self._connections = connections
        self._server = view.server

    @property
    def id(self) -> SourceId:
        """Under which its tools are registered."""
        return source_of(self._server)

    async def load(self) -> Sequence[Tool]:
        """Return its tools as it lists them now.

        Raises:
            NotFound, UpstreamDown: when it was removed, or does not answer.
        """
        return await self._connections.relisted(self._server.org_id, self._server.spec.name)


class McpToolSources:
    """Knows the servers that answer; the others are being tried anyway."""

    def __init__(self, connections: McpConnections) -> None:
        self._connections = connections

    def of(self, org_id: str) -> Sequence[ToolSource]:
        """Return the sources of `org_id`."""
        views = self._connections.views(org_id)
        return [McpToolSource(self._connections, view) for view in views if view.state is ServerState.READY]
