"""Finds a tool by its name, or says which names come close."""

from __future__ import annotations

import difflib

from tool_executor.domain.errors import tool_unknown
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_registry import ToolRegistry

_SHOWN = 5


def find_tool(registry: ToolRegistry, org_id: str, name: str) -> Tool:
    """Return the tool that `org_id` sees under `name`.

    Raises:
        NotFound: with reason TOOL_UNKNOWN and the nearest names, or the first ones when none is near.
    """
    tool = registry.find(org_id, name)
    if tool is not None:
        return tool
    names = [tool.definition.name for tool in registry.all(org_id)]
    near = difflib.get_close_matches(name, names, _SHOWN, cutoff=0.4) or names[:_SHOWN]
    raise tool_unknown(name, near)
