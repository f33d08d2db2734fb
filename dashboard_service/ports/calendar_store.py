"""Port: the calendars that people imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.stored_calendar import StoredCalendar


class CalendarStore(Protocol):
    """Keeps imported iCalendar files; each belongs to one person of one organisation."""

    async def put(self, owner: Owner, calendar: StoredCalendar, ics: bytes) -> None:
        """Keep `ics` as the calendar `calendar.name` of `owner`, over an earlier one of that name.

        An earlier one's `created_at` stays. Idempotent.

        Raises:
            QuotaExceeded: CALENDARS_EXHAUSTED when it would be one calendar too many; nothing changes.
            UpstreamDown: when the storage fails; nothing changes.
        """
        ...

    async def list_of(self, owner: Owner) -> Sequence[StoredCalendar]:
        """Return the calendars of `owner`, by name.

        Raises:
            UpstreamDown: when the storage fails.
        """
        ...

    async def ics_of(self, owner: Owner, name: str) -> bytes:
        """Return the file of the calendar `name` of `owner`.

        Raises:
            NotFound: CALENDAR_UNKNOWN when `owner` has none of that name.
            UpstreamDown: when the storage fails.
        """
        ...
