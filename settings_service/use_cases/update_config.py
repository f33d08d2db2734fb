"""Change an organisation's configuration."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from settings_service.domain.config import Config, changed, to_document
from settings_service.domain.errors import stale_etag
from settings_service.ports.config_feed import ConfigFeed
from settings_service.ports.config_store import Change, ConfigStore
from shared.auth.principal import Principal
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Update:
    """What to change: the new values at `paths`, for the configuration with `etag` (empty: whatever is there)."""

    wanted: Config
    paths: tuple[str, ...]
    etag: str
    request_id: str


class UpdateConfig:
    """Stores a change and tells the watchers."""

    def __init__(self, store: ConfigStore, feed: ConfigFeed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    async def run(self, principal: Principal, update: Update) -> Config:
        """Return the configuration after the change. Idempotent by `request_id`.

        Raises:
            InvalidInput: for an empty mask, an unknown path or a bad value; nothing is changed.
            StaleWrite: when the etag is old.
            AlreadyExists: when the request id was used for another change.
        """

        def apply(current: Config) -> Config:
            if update.etag and update.etag != current.etag:
                raise stale_etag()
            return changed(current, update.wanted, update.paths)

        asked = json.dumps([to_document(update.wanted), update.paths], sort_keys=True)
        change = Change(
            principal.org_id,
            principal.user_id,
            self._clock.now(),
            update.request_id,
            hashlib.sha256(asked.encode()).hexdigest(),
        )
        stored = await self._store.write(change, apply)
        self._feed.publish(principal.org_id, await self._store.read(principal.org_id))
        return stored
