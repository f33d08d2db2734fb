"""The tools that Nexus ships with, made anew from their definitions at each load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from tool_executor.domain.tool_source import BUILTIN, SourceId
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_source import ToolSource


class BuiltinToolSource:
    """Implements `ToolSource` and, since it is the only one of its kind, `ToolSources`.

    Args:
        make: makes all tools; each reads its definition. It runs in a thread: what tools keep between calls is theirs
            to be given, not to make.
    """

    def __init__(self, make: Callable[[], Sequence[Tool]]) -> None:
        self._make = make

    @property
    def id(self) -> SourceId:
        """Under which its tools are registered."""
        return BUILTIN

    async def load(self) -> Sequence[Tool]:
        """Return the tools with the definitions as they stand on disk now.

        Raises:
            PreconditionFailed: TOOL_DEFINITION_INVALID, with the file and what is wrong in it.
        """
        return await asyncio.to_thread(self._make)

    def of(self, org_id: str) -> Sequence[ToolSource]:
        """Return itself: every organisation sees these tools."""
        del org_id
        return (self,)
