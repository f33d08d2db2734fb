"""Decorator of the tool port: only so many calls at once, and no organisation takes every place."""

from __future__ import annotations

from collections import Counter

from shared.errors import QuotaExceeded
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.tool_source import SourceId
from tool_executor.ports.tool import Tool

_RETRY_AFTER_S = 1.0
_KEPT_FREE = 4
"""One place in so many is kept for other organisations."""


class Places:
    """Who runs what, across reloads: a tool that was made anew has no new places."""

    def __init__(self) -> None:
        self._of_tool: Counter[tuple[SourceId, str]] = Counter()
        self._of_caller: Counter[tuple[SourceId, str, str]] = Counter()

    def running(self, source: SourceId, tool: str, org_id: str) -> tuple[int, int]:
        """Return how many calls of `tool` run, and how many of them are `org_id`'s."""
        return self._of_tool[source, tool], self._of_caller[source, tool, org_id]

    def take(self, source: SourceId, tool: str, org_id: str) -> None:
        """Count one more."""
        self._of_tool[source, tool] += 1
        self._of_caller[source, tool, org_id] += 1

    def leave(self, source: SourceId, tool: str, org_id: str) -> None:
        """Count one less, and remember nothing of what does not run."""
        self._of_tool[source, tool] -= 1
        self._of_caller[source, tool, org_id] -= 1
        if not self._of_tool[source, tool]:
            del self._of_tool[source, tool]
        if not self._of_caller[source, tool, org_id]:
            del self._of_caller[source, tool, org_id]


class BoundedTool:
    """Refuses a call while `definition.max_concurrency` others run, so that nothing piles up.

    Of a tool that all organisations share, one of them has at most three places of four, as long as there are two.

    Args:
        tool: the tool.
        source: where it comes from; a source of one organisation is not shared.
        places: of all tools.
    """

    def __init__(self, tool: Tool, source: SourceId, places: Places) -> None:
        self._tool = tool
        self._source = source
        self._places = places

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            QuotaExceeded: with reason TOOL_BUSY when too many calls run, or too many of the organisation.
        """
        name, org_id = self.definition.name, call.principal.org_id
        most = self.definition.max_concurrency
        share = most if self._source.org_id or most == 1 else most - max(1, most // _KEPT_FREE)
        running, own = self._places.running(self._source, name, org_id)
        if running >= most:
            raise _busy(name, f"already runs {most} calls, its limit", most)
        if own >= share:
            raise _busy(name, f"already runs {share} calls of your organisation, its share", share)
        self._places.take(self._source, name, org_id)
        try:
            return await self._tool.run(arguments, call)
        finally:
            self._places.leave(self._source, name, org_id)


def _busy(name: str, why: str, limit: int) -> QuotaExceeded:
    return QuotaExceeded(
        "TOOL_BUSY",
        f"The tool {name!r} {why}. Try again in a moment.",
        metadata={"tool": name, "limit": str(limit)},
        retry_after_s=_RETRY_AFTER_S,
    )
