"""Asks the sources of tools anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import NexusError
from tool_executor.domain.tool_source import ToolChange
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.ports.tool_source import ToolSource
from tool_executor.ports.tool_sources import ToolSources


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What changed.

    Args:
        added: tools that are there now and were not.
        removed: tools that are gone.
        failed: sources that could not be asked, each with the reason.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    failed: tuple[str, ...]


class ReloadTools:
    """Reloads every source whose tools an organisation sees, all at once; one that fails keeps what it had.

    Args:
        registry: gets the tools.
        sources: who knows sources.
        patience_s: seconds that a source may take.
    """

    def __init__(self, registry: ToolRegistry, sources: Sequence[ToolSources], *, patience_s: float = 20.0) -> None:
        self._registry = registry
        self._sources = sources
        self._patience_s = patience_s

    async def __call__(self, org_id: str) -> Reloaded:
        """Reload the sources of `org_id`. Idempotent."""
        asked = [source for known in self._sources for source in known.of(org_id)]
        ended = await asyncio.gather(*(self._reload(source) for source in asked))
        changes = [change for change in ended if isinstance(change, ToolChange)]
        return Reloaded(
            tuple(sorted(name for change in changes for name in change.added)),
            tuple(sorted(name for change in changes for name in change.removed)),
            tuple(failure for failure in ended if isinstance(failure, str)),
        )

    async def _reload(self, source: ToolSource) -> ToolChange | str:
        """Return what changed, or why nothing did."""
        try:
            async with asyncio.timeout(self._patience_s):
                return self._registry.put(source.id, await source.load())
        except NexusError as error:
            return f"{source.id.name}: {error.message}"
        except TimeoutError:
            return f"{source.id.name}: it did not answer within {self._patience_s:g} s."
