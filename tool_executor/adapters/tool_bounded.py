"""Decorator of the tool port: only so many calls at once."""

from __future__ import annotations

from shared.errors import QuotaExceeded
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool import Tool

_RETRY_AFTER_S = 1.0


class BoundedTool:
    """Refuses a call while `definition.max_concurrency` others run, so that nothing piles up."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._running = 0

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            QuotaExceeded: with reason TOOL_BUSY when too many calls run.
        """
        most = self.definition.max_concurrency
        if self._running >= most:
            raise QuotaExceeded(
                "TOOL_BUSY",
                f"The tool {self.definition.name!r} already runs {most} calls, its limit. Try again in a moment.",
                metadata={"tool": self.definition.name, "limit": str(most)},
                retry_after_s=_RETRY_AFTER_S,
            )
        self._running += 1
        try:
            return await self._tool.run(arguments, call)
        finally:
            self._running -= 1
