"""Tries an MCP server that is not registered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Container, Generator
from contextlib import contextmanager

from shared.auth.principal import Principal
from shared.clock import Clock
from tool_executor.domain.mcp_catalog import NOTHING, admit
from tool_executor.domain.mcp_errors import too_many_tests
from tool_executor.domain.mcp_server import McpFailure, RegisteredServer, ServerSpec, ServerState, ServerView
from tool_executor.domain.mcp_spec_rules import require_acceptable
from tool_executor.ports.mcp_connector import McpConnector
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.note_mcp_change import TESTED, NoteMcpChange

_MOST_AT_ONCE = 8
_MOST_OF_AN_ORGANISATION = 2
_LONGEST_S = 25.0


class TryMcpServer:
    """Connects, lists what there is, and leaves nothing behind: no tool, no row, no process.

    Args:
        connector: connects.
        registry: says which names are taken.
        note: writes it down, before it is done.
        clock: tells when.
        private_hosts: `host:port` at which private addresses and plain http are allowed.
    """

    def __init__(
        self,
        connector: McpConnector,
        registry: ToolRegistry,
        note: NoteMcpChange,
        clock: Clock,
        private_hosts: Container[str],
    ) -> None:
        self._connector = connector
        self._registry = registry
        self._note = note
        self._clock = clock
        self._private_hosts = private_hosts
        self._running: Counter[str] = Counter()

    async def __call__(self, principal: Principal, spec: ServerSpec) -> ServerView:
        """Return the server as it would be, or why it cannot be reached, with the end of what a program complained.

        Raises:
            InvalidInput: MCP_SERVER_INVALID.
            QuotaExceeded: MCP_TESTS_TOO_MANY.
            UpstreamDown: when it cannot be audited; nothing is tried then.
        """
        require_acceptable(spec, self._private_hosts)
        with self._place(principal.org_id):
            await self._note(principal, spec.name, TESTED)
            return await self._tried(RegisteredServer(principal.org_id, "", "", spec, self._clock.now()))

    @contextmanager
    def _place(self, org_id: str) -> Generator[None, None, None]:
        """Hold a place: an organisation has few, so that it leaves some to others."""
        if self._running[org_id] >= _MOST_OF_AN_ORGANISATION or self._running.total() >= _MOST_AT_ONCE:
            raise too_many_tests()
        self._running[org_id] += 1
        try:
            yield
        finally:
            self._running -= Counter((org_id,))

    async def _tried(self, server: RegisteredServer) -> ServerView:
        spec = server.spec
        try:
            async with asyncio.timeout(_LONGEST_S), self._connector.connect(server.org_id, spec) as connection:
                offer = await connection.offer()
        except McpFailure as failure:
            told = f"{failure.message}\n{failure.detail}" if failure.detail else failure.message
            return ServerView(server, ServerState.FAILED, told, NOTHING)
        except TimeoutError:
            return ServerView(server, ServerState.FAILED, "it does not answer in time", NOTHING)
        catalog = await asyncio.to_thread(admit, spec.name, offer, {}, self._is_taken)
        return ServerView(server, ServerState.READY, "", catalog)

    def _is_taken(self, name: str) -> bool:
        return self._registry.find("", name) is not None
