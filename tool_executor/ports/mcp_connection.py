"""A connection to an MCP server."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.mcp_catalog import Offer
from tool_executor.domain.mcp_result import CallOutcome, PromptMessage, ResourceContent
from tool_executor.domain.tool_definition import JsonObject


class McpConnection(Protocol):
    """A connection that stands. Methods may be called from any task; cancelling one tells the server.

    Every method raises McpFailure when the connection is gone or the server does not keep to the protocol, and
    McpRefusal when the server answers with an error. Those that call, read and fill in raise QuotaExceeded, TOOL_BUSY,
    when too many of these requests run.
    """

    async def offer(self) -> Offer:
        """Return what the server offers, within the limits of the catalog."""
        ...

    async def changed(self) -> None:
        """Wait until the server says that its lists have changed, or it is time to look again."""
        ...

    async def call_tool(self, name: str, arguments: JsonObject, timeout_s: float) -> CallOutcome:
        """Call the tool that the server calls `name`. Not idempotent."""
        ...

    async def read_resource(self, uri: str, timeout_s: float) -> ResourceContent:
        """Return what a resource says, cut to the limit. Idempotent."""
        ...

    async def get_prompt(self, name: str, arguments: JsonObject, timeout_s: float) -> tuple[PromptMessage, ...]:
        """Return a prompt, filled in with `arguments`, texts by name. Idempotent."""
        ...
