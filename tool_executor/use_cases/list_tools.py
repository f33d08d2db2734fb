"""Lists the tools."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.domain.tool_standing import ListedTool
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.describe_tools import DescribeTools

_DECIDED_AT_ONCE = 50


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
        left = [tool for tool in tools if tool.name > after]
        found: list[ListedTool] = []
        # A few at a time, and others in between: to decide on hundreds of tools would keep everybody waiting.
        for start in range(0, len(left), _DECIDED_AT_ONCE):
            described = await self._describe(question, left[start : start + _DECIDED_AT_ONCE])
            found += [tool for tool in described if tool.decision.enabled or not enabled_only]
            if len(found) > page_size:
                break
            await asyncio.sleep(0)
        page = tuple(found[:page_size])
        return ToolPage(page, page[-1].definition.name if len(found) > page_size else None)
