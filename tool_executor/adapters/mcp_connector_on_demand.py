"""Connects to MCP servers with an SDK that is loaded when the first of them is: it takes 30 MB and half a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module

from tool_executor.adapters.mcp.limits import McpLimits, McpSurroundings
from tool_executor.domain.mcp_server import ServerSpec
from tool_executor.ports.mcp_connection import McpConnection
from tool_executor.ports.mcp_connector import McpConnector

_MODULE = "tool_executor.adapters.mcp_connector_sdk"


class OnDemandMcpConnector:
    """Makes the connector for the first connection; see the port."""

    def __init__(self, surroundings: McpSurroundings, limits: McpLimits) -> None:
        self._surroundings = surroundings
        self._limits = limits
        self._loading = asyncio.Lock()
        self._made: McpConnector | None = None

    @asynccontextmanager
    async def connect(self, org_id: str, spec: ServerSpec) -> AsyncGenerator[McpConnection, None]:
        """Connect to a server; see the port.

        Raises:
            McpFailure: as the port says.
        """
        async with (await self._connector()).connect(org_id, spec) as connection:
            yield connection

    async def _connector(self) -> McpConnector:
        async with self._loading:
            if self._made is None:
                module = await asyncio.to_thread(import_module, _MODULE)
                made: McpConnector = module.SdkMcpConnector(self._surroundings, self._limits)
                self._made = made
            return self._made
