"""The tools of this process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.errors import PreconditionFailed
from tool_executor.ports.tool import Tool


class MemoryToolRegistry:
    """Holds the tools that it was made with.

    Raises:
        PreconditionFailed: when two tools have one name.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        ordered = sorted(tools, key=lambda tool: tool.definition.name)
        self._all = tuple(ordered)
        self._by_name = {tool.definition.name: tool for tool in ordered}
        if len(self._by_name) != len(self._all):
            raise PreconditionFailed("TOOL_NAME_TWICE", "Two tools have the same name.")

    def find(self, name: str) -> Tool | None:
        """Return the tool called `name`, or None."""
        return self._by_name.get(name)

    def all(self) -> Sequence[Tool]:
        """Return all tools, sorted by name."""
        return self._all
