"""A tool catalog that asks at most once a second."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from orchestrator.adapters.remembered import Remembered
from orchestrator.domain.tools import Origin, Tool
from orchestrator.ports.tool_catalog import ToolCatalog
from shared.clock import Clock

MOST_SCOPES = 64
"""Pairs of agent and channel whose tools are remembered."""


class RememberedToolCatalog:
    """Decorates a `ToolCatalog`; searches go through as they are."""

    def __init__(self, catalog: ToolCatalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._values: OrderedDict[tuple[str, str], Remembered[tuple[Tool, ...]]] = OrderedDict()

    async def tools(self, origin: Origin) -> tuple[Tool, ...]:
        """See `ToolCatalog.tools`."""
        scope = (origin.agent, origin.channel)
        value = self._values.get(scope)
        if value is None:
            within = Origin(agent=origin.agent, channel=origin.channel)
            value = self._values[scope] = Remembered(partial(self._catalog.tools, within), self._clock)
        self._values.move_to_end(scope)
        if len(self._values) > MOST_SCOPES:
            self._values.popitem(last=False)
        return await value.get()

    async def fitting(self, origin: Origin, question: str, most: int) -> tuple[Tool, ...]:
        """See `ToolCatalog.fitting`."""
        return await self._catalog.fitting(origin, question, most)
