"""Forgets an MCP server."""

from __future__ import annotations

from shared.auth.principal import Principal
from tool_executor.ports.mcp_connections import McpConnections
from tool_executor.ports.mcp_server_store import McpServerStore
from tool_executor.use_cases.note_mcp_change import REMOVED, NoteMcpChange
from tool_executor.use_cases.server_turns import ServerTurns


class RemoveMcpServer:
    """Ends a server's connection or process, takes its tools away and forgets it, its secrets with it.

    Args:
        store: keeps servers.
        connections: to them.
        note: writes it down, before it is done.
        turns: one change of a server at a time.
    """

    def __init__(
        self, store: McpServerStore, connections: McpConnections, note: NoteMcpChange, turns: ServerTurns
    ) -> None:
        self._store = store
        self._connections = connections
        self._note = note
        self._turns = turns

    async def __call__(self, principal: Principal, name: str) -> None:
        """Forget the server called `name`.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            UpstreamDown: when it cannot be audited; nothing is forgotten then.
        """
        org_id = principal.org_id
        async with self._turns.of(org_id, name):
            self._connections.view(org_id, name)
            await self._note(principal, name, REMOVED)
            await self._store.remove(org_id, name)
            await self._connections.end(org_id, name)
