"""Which tools there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.ports.tool import Tool


class ToolRegistry(Protocol):
    """The tools by name. What it answers may change between calls, as tools come and go."""

    def find(self, name: str) -> Tool | None:
        """Return the tool called `name`, or None."""
        ...

    def all(self) -> Sequence[Tool]:
        """Return all tools, sorted by name."""
        ...
