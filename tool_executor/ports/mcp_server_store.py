"""Keeps the MCP servers that organisations have registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tool_executor.domain.mcp_server import RegisteredServer


class McpServerStore(Protocol):
    """Keeps servers, their secrets encrypted.

    Every method raises UpstreamDown when the storage cannot be used.
    """

    async def earlier(self, server: RegisteredServer, *, most: int) -> RegisteredServer | None:
        """Return what `add` would return without keeping anything; None when it would keep `server`.

        Raises:
            AlreadyExists: as `add` does.
            QuotaExceeded: as `add` does.
        """
        ...

    async def add(self, server: RegisteredServer, *, most: int) -> RegisteredServer:
        """Keep `server` and return it; the one that is there when it was added under the same key as the same.

        Args:
            server: the server.
            most: how many servers its organisation may have.

        Raises:
            AlreadyExists: MCP_SERVER_EXISTS; REQUEST_ID_REUSED when the key was used for another server.
            QuotaExceeded: MCP_SERVERS_TOO_MANY.
        """
        ...

    async def pin(self, org_id: str, name: str, digests: Mapping[str, str]) -> None:
        """Keep digests of tools as they were first seen. Does nothing when the server is gone. Idempotent."""
        ...

    async def remove(self, org_id: str, name: str) -> None:
        """Forget a server.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
        """
        ...

    async def all(self) -> Sequence[RegisteredServer]:
        """Return the servers of all organisations, by organisation and name."""
        ...
