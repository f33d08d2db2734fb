"""When each adapter was last read for each person, in memory."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import Sync

_MOST = 10_000


class MemorySyncJournal:
    """Remembers the readings since this process started, those of the last `most` pairs of person and adapter."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._last: OrderedDict[tuple[Owner, str], Sync] = OrderedDict()

    def note(self, owner: Owner, adapter: str, read_at: datetime | None, error: str) -> None:
        """Note a reading of `adapter` for `owner`."""
        earlier = self.last(owner, adapter)
        self._last[owner, adapter] = Sync(read_at or earlier.last_sync, error)
        self._last.move_to_end((owner, adapter))
        while len(self._last) > self._most:
            self._last.popitem(last=False)

    def last(self, owner: Owner, adapter: str) -> Sync:
        """Return how the last reading of `adapter` for `owner` went."""
        return self._last.get((owner, adapter), Sync())
