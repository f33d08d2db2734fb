"""Decorator of the tool port: an organisation calls it so often and no oftener."""

from __future__ import annotations

from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.call_quota import CallQuota
from tool_executor.ports.tool import Tool


class LimitedTool:
    """Counts each call just before it runs, so that one that was refused for another reason costs nothing."""

    def __init__(self, tool: Tool, quota: CallQuota) -> None:
        self._tool = tool
        self._quota = quota

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            QuotaExceeded: TOOL_RATE_LIMITED or TOOL_QUOTA_EXCEEDED, with the time at which there is room again.
        """
        await self._quota.take(call.principal.org_id, self.definition, dry_run=call.dry_run)
        return await self._tool.run(arguments, call)
