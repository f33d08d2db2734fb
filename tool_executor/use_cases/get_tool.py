"""Shows one tool."""

from __future__ import annotations

from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.domain.tool_standing import ListedTool
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.describe_tools import DescribeTools
from tool_executor.use_cases.find_tool import find_tool


class GetTool:
    """Returns a tool with its standing for the caller."""

    def __init__(self, registry: ToolRegistry, describe: DescribeTools) -> None:
        self._registry = registry
        self._describe = describe

    async def __call__(self, question: PolicyQuestion, name: str) -> ListedTool:
        """Return the tool called `name`.

        Raises:
            NotFound: when there is none, with reason TOOL_UNKNOWN.
            UpstreamDown: when it is not known whether it is enabled.
        """
        tool = find_tool(self._registry, question.principal.org_id, name)
        (listed,) = await self._describe(question, [tool.definition])
        return listed
