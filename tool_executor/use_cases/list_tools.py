"""Lists the tools."""

from __future__ import annotations

from dataclasses import dataclass

from shared.auth.principal import Principal
from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.ports.tool_policy import ToolPolicy
from tool_executor.ports.tool_registry import ToolRegistry


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool and whether it is enabled for the caller's organisation."""

    definition: ToolDefinition
    enabled: bool


@dataclass(frozen=True, slots=True)
class ToolPage:
    """Tools by name, and the name after which the next page begins; None on the last page."""

    tools: tuple[ListedTool, ...]
    next_after: str | None


class ListTools:
    """Lists the tools with their state for the caller's organisation."""

    def __init__(self, registry: ToolRegistry, policy: ToolPolicy) -> None:
        self._registry = registry
        self._policy = policy

    async def __call__(self, principal: Principal, *, enabled_only: bool, after: str, page_size: int) -> ToolPage:
        """Return at most `page_size` tools whose names come after `after`.

        Raises:
            UpstreamDown: when it is not known which tools are enabled.
        """
        disabled = await self._policy.disabled_tools(principal)
        found = [
            ListedTool(tool.definition, tool.definition.name not in disabled)
            for tool in self._registry.all()
            if tool.definition.name > after and not (enabled_only and tool.definition.name in disabled)
        ]
        page = tuple(found[:page_size])
        return ToolPage(page, page[-1].definition.name if len(found) > page_size else None)
