"""Registers an MCP server."""

from __future__ import annotations

from collections.abc import Container

from shared.auth.principal import Principal
from shared.clock import Clock
from tool_executor.domain.mcp_server import RegisteredServer, ServerSpec, ServerView
from tool_executor.domain.mcp_spec_rules import require_acceptable
from tool_executor.use_cases.change_mcp_servers import ChangeMcpServers
from tool_executor.use_cases.note_mcp_change import ADDED

_WAIT_S = 15.0


class AddMcpServer:
    """Keeps a server and connects to it.

    Args:
        change: where it is kept, connected to and noted.
        clock: tells when.
        private_hosts: `host:port` at which private addresses and plain http are allowed.
        most: how many servers an organisation may have.
    """

    def __init__(self, change: ChangeMcpServers, clock: Clock, private_hosts: Container[str], *, most: int) -> None:
        self._change = change
        self._clock = clock
        self._private_hosts = private_hosts
        self._most = most

    async def __call__(self, principal: Principal, spec: ServerSpec, request_id: str) -> ServerView:
        """Register `spec` and return it with how the first attempt to connect went. Idempotent by `request_id`.

        Raises:
            InvalidInput: MCP_SERVER_INVALID.
            AlreadyExists: MCP_SERVER_EXISTS, REQUEST_ID_REUSED.
            QuotaExceeded: MCP_SERVERS_TOO_MANY.
            UpstreamDown: when it cannot be audited; it is neither kept nor connected to then.
        """
        require_acceptable(spec, self._private_hosts)
        new = RegisteredServer(principal.org_id, principal.user_id, request_id, spec, self._clock.now())
        store, connections = self._change.store, self._change.connections
        async with self._change.turn(principal.org_id, spec.name):
            if await store.earlier(new, most=self._most) is None:
                await self._change.note(principal, spec.name, ADDED)
            connections.begin(await store.add(new, most=self._most))
        await connections.settled(principal.org_id, spec.name, _WAIT_S)
        return connections.view(principal.org_id, spec.name)
