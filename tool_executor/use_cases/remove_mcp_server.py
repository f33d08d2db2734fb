"""Forgets an MCP server."""

from __future__ import annotations

from shared.auth.principal import Principal
from tool_executor.use_cases.change_mcp_servers import ChangeMcpServers
from tool_executor.use_cases.note_mcp_change import REMOVED


class RemoveMcpServer:
    """Ends a server's connection or process, takes its tools away and forgets it, its secrets with it."""

    def __init__(self, change: ChangeMcpServers) -> None:
        self._change = change

    async def __call__(self, principal: Principal, name: str) -> None:
        """Forget the server called `name`.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            UpstreamDown: when it cannot be audited; nothing is forgotten then.
        """
        org_id = principal.org_id
        async with self._change.turn(org_id, name):
            self._change.connections.view(org_id, name)
            await self._change.note(principal, name, REMOVED)
            await self._change.store.remove(org_id, name)
            await self._change.connections.end(org_id, name)
