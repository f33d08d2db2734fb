"""Follow an organisation's configuration."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from settings_service.domain.config import Config
from settings_service.ports.config_feed import ConfigFeed
from settings_service.ports.config_store import ConfigStore
from shared.auth.principal import Principal


class WatchConfig:
    """Streams the configuration of the caller's organisation."""

    def __init__(self, store: ConfigStore, feed: ConfigFeed) -> None:
        self._store = store
        self._feed = feed

    async def run(self, principal: Principal) -> AsyncGenerator[Config]:
        """Yield the configuration as it is, then after each change. Versions only go up; some may be skipped."""
        with self._feed.subscribed(principal.org_id) as changes:
            newest = await self._store.read(principal.org_id)
            yield newest
            async for config in changes:
                if config.version > newest.version:
                    newest = config
                    yield config
