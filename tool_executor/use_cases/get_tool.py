"""Shows one tool."""

from __future__ import annotations

from shared.auth.principal import Principal
from tool_executor.ports.tool_policy import ToolPolicy
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.find_tool import find_tool
from tool_executor.use_cases.list_tools import ListedTool


class GetTool:
    """Returns a tool with its state for the caller's organisation."""

    def __init__(self, registry: ToolRegistry, policy: ToolPolicy) -> None:
        self._registry = registry
        self._policy = policy

    async def __call__(self, principal: Principal, name: str) -> ListedTool:
        """Return the tool called `name`.

        Raises:
            NotFound: when there is none, with reason TOOL_UNKNOWN.
            UpstreamDown: when it is not known whether it is enabled.
        """
        tool = find_tool(self._registry, name)
        disabled = await self._policy.disabled_tools(principal)
        return ListedTool(tool.definition, name not in disabled)
