"""Lists the tools."""

from __future__ import annotations

from dataclasses import dataclass

from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.domain.tool_standing import ListedTool
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.describe_tools import DescribeTools


@dataclass(frozen=True, slots=True)
class ToolPage:
    """Tools by name, and the name after which the next page begins; None on the last page."""

    tools: tuple[ListedTool, ...]
    next_after: str | None


class ListTools:
    """Lists the tools with their standing for the caller."""

    def __init__(self, registry: ToolRegistry, describe: DescribeTools) -> None:
        self._registry = registry
        self._describe = describe

    async def __call__(self, question: PolicyQuestion, *, enabled_only: bool, after: str, page_size: int) -> ToolPage:
        """Return at most `page_size` tools whose names come after `after`.

        Raises:
            UpstreamDown: when it is not known which tools are enabled.
        """
        tools = [tool.definition for tool in self._registry.all(question.principal.org_id)]
        listed = await self._describe(question, [tool for tool in tools if tool.name > after])
        found = [tool for tool in listed if tool.decision.enabled or not enabled_only]
        page = tuple(found[:page_size])
        return ToolPage(page, page[-1].definition.name if len(found) > page_size else None)
