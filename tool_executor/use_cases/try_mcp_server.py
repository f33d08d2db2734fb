"""Tries an MCP server that is not registered."""

from __future__ import annotations

import asyncio
from collections.abc import Container

from shared.auth.principal import Principal
from shared.clock import Clock
from tool_executor.domain.mcp_catalog import NOTHING, admit
from tool_executor.domain.mcp_errors import too_many_tests
from tool_executor.domain.mcp_server import McpFailure, RegisteredServer, ServerSpec, ServerState, ServerView
from tool_executor.domain.mcp_spec_rules import require_acceptable
from tool_executor.ports.mcp_connector import McpConnector
from tool_executor.ports.tool_registry import ToolRegistry

_MOST_AT_ONCE = 4
_LONGEST_S = 25.0


class TryMcpServer:
    """Connects, lists what there is, and leaves nothing behind: no tool, no row, no process.

    Args:
        connector: connects.
        registry: says which names are taken.
        clock: tells when.
        private_hosts: `host:port` at which private addresses and plain http are allowed.
    """

    def __init__(
        self, connector: McpConnector, registry: ToolRegistry, clock: Clock, private_hosts: Container[str]
    ) -> None:
        self._connector = connector
        self._registry = registry
        self._clock = clock
        self._private_hosts = private_hosts
        self._running = 0

    async def __call__(self, principal: Principal, spec: ServerSpec) -> ServerView:
        """Return the server as it would be, or why it cannot be reached, with the end of what a program complained.

        Raises:
            InvalidInput: MCP_SERVER_INVALID.
            QuotaExceeded: MCP_TESTS_TOO_MANY.
        """
        require_acceptable(spec, self._private_hosts)
        if self._running >= _MOST_AT_ONCE:
            raise too_many_tests()
        server = RegisteredServer(principal.org_id, "", "", spec, self._clock.now())
        self._running += 1
        try:
            async with asyncio.timeout(_LONGEST_S), self._connector.connect(server.org_id, spec) as connection:
                offer = await connection.offer()
        except McpFailure as failure:
            told = f"{failure.message}\n{failure.detail}" if failure.detail else failure.message
            return ServerView(server, ServerState.FAILED, told, NOTHING)
        except TimeoutError:
            return ServerView(server, ServerState.FAILED, "it does not answer in time", NOTHING)
        finally:
            self._running -= 1
        catalog = await asyncio.to_thread(admit, spec.name, offer, {}, self._is_taken)
        return ServerView(server, ServerState.READY, "", catalog)

    def _is_taken(self, name: str) -> bool:
        return self._registry.find("", name) is not None
