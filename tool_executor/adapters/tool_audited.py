"""Decorator of the tool port: an effect is written down just before it happens."""

from __future__ import annotations

from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_decision import ToolDecision
from tool_executor.domain.tool_definition import JsonObject, SideEffect, ToolDefinition
from tool_executor.ports.tool import Tool
from tool_executor.use_cases.note_call import NoteCall


class AuditedTool:
    """Notes each call that may have an effect. It stands inside of all that refuses: what does not run is no effect."""

    def __init__(self, tool: Tool, note: NoteCall) -> None:
        self._tool = tool
        self._note = note

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            UpstreamDown: when the call cannot be written down; the tool is not run then.
        """
        if self.definition.side_effect is not SideEffect.READ and not call.dry_run:
            let_through = ToolDecision(enabled=True, allowed=True, policies=call.permitted_by)
            await self._note(self.definition.name, call, let_through)
        return await self._tool.run(arguments, call)
