"""Keeps the connections to all registered MCP servers, and their tools in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.domain.mcp_server import RegisteredServer, ServerView
from tool_executor.ports.mcp_connection import McpConnection
from tool_executor.ports.tool import Tool


class McpConnections(Protocol):
    """The servers of all organisations, each seen by its own alone."""

    def begin(self, server: RegisteredServer) -> None:
        """Begin to connect to `server`. Idempotent."""
        ...

    async def end(self, org_id: str, name: str) -> None:
        """End the connection to a server, and take its tools away at once. Idempotent."""
        ...

    async def settled(self, org_id: str, name: str, within_s: float) -> None:
        """Wait until the first attempt to connect has ended, at most `within_s` seconds.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
        """
        ...

    def views(self, org_id: str) -> Sequence[ServerView]:
        """Return the servers of `org_id` with their state, by name."""
        ...

    def view(self, org_id: str, name: str) -> ServerView:
        """Return one server with its state.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
        """
        ...

    def connection(self, org_id: str, name: str) -> McpConnection:
        """Return the connection to a server.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            UpstreamDown: MCP_SERVER_DOWN.
        """
        ...

    async def relisted(self, org_id: str, name: str) -> Sequence[Tool]:
        """Return the tools of a server as it lists them now; the caller has them put into the registry.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            UpstreamDown: MCP_SERVER_DOWN.
        """
        ...
