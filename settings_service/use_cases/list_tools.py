"""List the tools with their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from settings_service.ports.config_store import ConfigStore
from settings_service.ports.tool_directory import ToolDirectory
from shared.auth.principal import Principal


@dataclass(frozen=True, slots=True)
class ToolState:
    """A tool and whether the organisation has it enabled."""

    name: str
    description: str
    enabled: bool


class ListTools:
    """Lists all tools, with the state that the caller's organisation gave them."""

    def __init__(self, directory: ToolDirectory, store: ConfigStore) -> None:
        self._directory = directory
        self._store = store

    async def run(self, principal: Principal) -> Sequence[ToolState]:
        """Return the tools, by name."""
        disabled = (await self._store.read(principal.org_id)).tools.disabled
        return [ToolState(t.name, t.description, t.name not in disabled) for t in await self._directory.list()]
