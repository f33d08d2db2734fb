"""Port: when each adapter was last read for each person."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import Sync


class SyncJournal(Protocol):
    """Remembers how the last reading went. It is information for people: losing it loses no data."""

    def note(self, owner: Owner, adapter: str, read_at: datetime | None, error: str) -> None:
        """Note a reading of `adapter` for `owner`.

        Args:
            owner: for whom.
            adapter: the adapter.
            read_at: when the data was read, aware, in UTC; None when there was none, and the earlier time stays.
            error: why it failed or is incomplete; empty when it worked.
        """
        ...

    def last(self, owner: Owner, adapter: str) -> Sync:
        """Return how the last reading of `adapter` for `owner` went."""
        ...
