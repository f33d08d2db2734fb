"""Forgets an MCP server."""

from __future__ import annotations

from tool_executor.ports.mcp_connections import McpConnections
from tool_executor.ports.mcp_server_store import McpServerStore


class RemoveMcpServer:
    """Ends a server's connection or process, takes its tools away and forgets it, its secrets with it."""

    def __init__(self, store: McpServerStore, connections: McpConnections) -> None:
        self._store = store
        self._connections = connections

    async def __call__(self, org_id: str, name: str) -> None:
        """Forget the server called `name`.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
        """
        await self._store.remove(org_id, name)
        await self._connections.end(org_id, name)
