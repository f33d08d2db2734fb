"""A tool catalog that asks at most once a second."""

from __future__ import annotations

from orchestrator.adapters.remembered import Remembered
from orchestrator.domain.tools import Tool
from orchestrator.ports.tool_catalog import ToolCatalog
from shared.clock import Clock


class RememberedToolCatalog:
    """Decorates a `ToolCatalog`."""

    def __init__(self, catalog: ToolCatalog, clock: Clock) -> None:
        self._value = Remembered(catalog.tools, clock)

    async def tools(self) -> tuple[Tool, ...]:
        """See `ToolCatalog.tools`."""
        return await self._value.get()
