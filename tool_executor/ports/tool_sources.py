"""The sources of tools that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.ports.tool_source import ToolSource


class ToolSources(Protocol):
    """Knows sources, which come and go."""

    def of(self, org_id: str) -> Sequence[ToolSource]:
        """Return the sources whose tools `org_id` sees."""
        ...
