"""Read an organisation's configuration."""

from __future__ import annotations

from settings_service.domain.config import Config
from settings_service.ports.config_store import ConfigStore
from shared.auth.principal import Principal


class GetConfig:
    """Reads the configuration of the caller's organisation."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store

    async def run(self, principal: Principal) -> Config:
        """Return the newest configuration, or the defaults."""
        return await self._store.read(principal.org_id)
