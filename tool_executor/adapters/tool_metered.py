"""Decorator of the tool port: counts calls and measures how long they take."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from shared.clock import Clock
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.tool_source import BUILTIN
from tool_executor.ports.tool import Tool

_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
CALLS = Counter("nexus_tool_calls_total", "Tool calls by how they ended.", ["tool", "status"])
SECONDS = Histogram("nexus_tool_call_duration_seconds", "Time of a tool call.", ["tool"], buckets=_BUCKETS_S)
REFUSED = "refused"
"""Status of a call that raised instead of ending: refused by a limit or a breaker, or cancelled."""


class MeteredTool:
    """Measures each call.

    The labels are the names of the built-in tools, `mcp` for those of all servers, and a closed set of statuses.
    """

    def __init__(self, tool: Tool, clock: Clock) -> None:
        # What comes and goes shares the name of its kind, so that the number of labels stays bounded.
        kind = tool.definition.source.partition(":")[0]
        name = tool.definition.name if kind == BUILTIN.name else kind
        self._tool = tool
        self._clock = clock
        self._seconds = SECONDS.labels(name)
        self._calls = {status: CALLS.labels(name, status) for status in (*(s.value for s in ToolStatus), REFUSED)}

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool."""
        started = self._clock.monotonic()
        status = REFUSED
        try:
            output = await self._tool.run(arguments, call)
            status = ToolStatus.OK.value
        except ToolFailure as failure:
            status = failure.status.value
            raise
        finally:
            self._seconds.observe(self._clock.monotonic() - started)
            self._calls[status].inc()
        return output
