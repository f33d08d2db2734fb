"""Make the choice of tools ready before the first question needs it."""

from __future__ import annotations

import asyncio

from orchestrator.domain.tools import ANYWHERE
from orchestrator.ports.model_catalog import ModelCatalog
from orchestrator.ports.tool_catalog import ToolCatalog
from orchestrator.ports.tool_strategy import ToolStrategy
from shared.errors import NexusError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class WarmUp:
    """Warms the strategy for models without tool calling, with the tools of an organisation that changed nothing.

    The caller acts as a principal that may list models and tools and use models.
    """

    def __init__(
        self, models: ModelCatalog, tools: ToolCatalog, strategy: ToolStrategy, first_pause_s: float = FIRST_PAUSE_S
    ) -> None:
        self._models = models
        self._tools = tools
        self._strategy = strategy
        self._first_pause_s = first_pause_s

    async def __call__(self) -> None:
        """Warm up once. Does nothing when every chat model calls tools itself.

        Raises:
            NexusError: when a service that it needs does not answer, or not yet.
        """
        if any(model.chat and not model.tool_calling for model in (await self._models.catalogue()).models):
            await self._strategy.warm(await self._tools.tools(ANYWHERE))

    async def keep_trying(self) -> None:
        """Warm up, again and again until it has worked: the other services start at the same time."""
        pause_s = self._first_pause_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self()
            except NexusError:
                # Whatever is wrong, the first question that needs the other service says so.
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                return
