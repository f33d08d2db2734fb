"""One change of an MCP server at a time."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class ServerTurns:
    """Gives those who change a server of the same organisation and name their turns."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def of(self, org_id: str, name: str) -> asyncio.Lock:
        """Return what is held while that server is changed."""
        return self._locks.setdefault((org_id, name), asyncio.Lock())
