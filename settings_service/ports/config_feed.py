"""How a watcher learns of a changed configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Protocol

from settings_service.domain.config import Config


class ConfigFeed(Protocol):
    """Tells watchers of an organisation its newest configuration."""

    def publish(self, org_id: str, config: Config) -> None:
        """Tell the watchers of `org_id`. Never waits: a slow watcher gets the newest one only."""
        ...

    def subscribed(self, org_id: str) -> AbstractContextManager[AsyncIterator[Config]]:
        """Give the configurations published from now on, for the duration of the block; nothing is kept after it."""
        ...
