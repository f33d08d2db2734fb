"""A source of tools that can be asked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.domain.tool_source import SourceId
from tool_executor.ports.tool import Tool


class ToolSource(Protocol):
    """Gives tools: definitions on disk, an MCP server."""

    @property
    def id(self) -> SourceId:
        """Under which its tools are registered."""
        ...

    async def load(self) -> Sequence[Tool]:
        """Return all its tools as they are now; they are registered as soon as it returns. Idempotent.

        Raises:
            NexusError: when it cannot say them; what was registered before stays.
        """
        ...
