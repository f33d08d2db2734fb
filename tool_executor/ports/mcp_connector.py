"""Connects to MCP servers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tool_executor.domain.mcp_server import ServerSpec
from tool_executor.ports.mcp_connection import McpConnection


class McpConnector(Protocol):
    """Opens connections."""

    def connect(self, org_id: str, spec: ServerSpec) -> AbstractAsyncContextManager[McpConnection]:
        """Connect to a server on behalf of `org_id`, and end all that was begun for it when the block is left.

        The block itself is ended with McpFailure when the connection breaks in a way that cannot be told otherwise.

        Raises:
            McpFailure: when it cannot be reached, in time, where this installation allows.
        """
        ...
