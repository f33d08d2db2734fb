"""What changes of registered MCP servers have in common."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from tool_executor.ports.mcp_connections import McpConnections
from tool_executor.ports.mcp_server_store import McpServerStore
from tool_executor.use_cases.note_mcp_change import NoteMcpChange


def _no_turns() -> WeakValueDictionary[tuple[str, str], asyncio.Lock]:
    return WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class ChangeMcpServers:
    """Where servers are kept and connected to, and who waits for whom.

    Args:
        store: keeps them.
        connections: to them.
        note: writes a change down, before it is made.
    """

    store: McpServerStore
    connections: McpConnections
    note: NoteMcpChange
    _turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = field(init=False, default_factory=_no_turns)

    def turn(self, org_id: str, name: str) -> asyncio.Lock:
        """Return what is held while that server is changed: store and connection would not agree otherwise."""
        return self._turns.setdefault((org_id, name), asyncio.Lock())
