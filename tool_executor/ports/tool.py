"""A tool."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition


class Tool(Protocol):
    """Something that an agent can do. Decorators of this port add checks, limits and metrics around a tool."""

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself; the same object each time."""
        ...

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Do it once. Not idempotent by itself; cancelling it stops the work.

        Args:
            arguments: the parsed arguments.
            call: who asks, and within which limits.

        Raises:
            ToolFailure: when it cannot be done; the model reads why.
            NexusError: when Nexus refuses the call or a service that the tool needs fails.
        """
        ...
