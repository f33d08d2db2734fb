"""Enable or disable a tool for an organisation."""

from __future__ import annotations

from settings_service.domain.config import with_tool
from settings_service.domain.errors import unknown_tool
from settings_service.ports.config_feed import ConfigFeed
from settings_service.ports.config_store import Change, ConfigStore
from settings_service.ports.tool_directory import ToolDirectory
from settings_service.use_cases.list_tools import ToolState
from shared.auth.principal import Principal
from shared.clock import Clock


class SetToolState:
    """Stores a tool's state and tells the watchers, so that it takes effect at once."""

    def __init__(self, directory: ToolDirectory, store: ConfigStore, feed: ConfigFeed, clock: Clock) -> None:
        self._directory = directory
        self._store = store
        self._feed = feed
        self._clock = clock

    async def run(self, principal: Principal, name: str, request_id: str, *, enabled: bool) -> ToolState:
        """Return the tool after the change. Idempotent.

        Raises:
            NotFound: TOOL_UNKNOWN.
            UpstreamDown: when the tool executor cannot be asked which tools there are.
        """
        tool = next((t for t in await self._directory.list() if t.name == name), None)
        if tool is None:
            raise unknown_tool(name)
        change = Change(principal.org_id, principal.user_id, self._clock.now(), request_id, f"tool:{name}:{enabled}")
        await self._store.write(change, lambda config: with_tool(config, name, enabled=enabled))
        newest = await self._store.read(principal.org_id)
        self._feed.publish(principal.org_id, newest)
        return ToolState(name, tool.description, name not in newest.tools.disabled)
