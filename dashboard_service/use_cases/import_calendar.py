"""Stores an iCalendar file as a calendar of a person."""

from __future__ import annotations

from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.owner import Owner
from dashboard_service.domain.stored_calendar import MAX_ICS_BYTES, StoredCalendar
from dashboard_service.ports.calendar_parser import CalendarParser
from dashboard_service.ports.calendar_store import CalendarStore
from shared.clock import Clock
from shared.errors import FieldViolation, InvalidInput


class ImportCalendar:
    """Checks a file and keeps it, over an earlier one of the same name."""

    def __init__(self, parser: CalendarParser, store: CalendarStore, clock: Clock) -> None:
        self._parser = parser
        self._store = store
        self._clock = clock

    async def __call__(self, owner: Owner, name: str, ics: bytes) -> int:
        """Keep `ics` as the calendar `name` of `owner`. Idempotent; changes nothing when it raises.

        Args:
            owner: whose calendar it becomes.
            name: one line that is not blank; blanks around it do not count.
            ics: the file, at most `MAX_ICS_BYTES`.

        Returns:
            The number of events in the file, a series counted once.

        Raises:
            InvalidInput: CALENDAR_NAME_INVALID.
            CalendarInvalid: CALENDAR_INVALID, with the line where it can be told.
            QuotaExceeded: CALENDARS_EXHAUSTED.
            UpstreamDown: when the file cannot be checked or kept now.
        """
        title = name.strip()
        if not title.isprintable() or not title:
            raise InvalidInput(
                "CALENDAR_NAME_INVALID",
                "A calendar's name is one line of text that is not blank.",
                violations=[FieldViolation("name", "is blank or has control characters")],
            )
        if len(ics) > MAX_ICS_BYTES:
            raise CalendarInvalid(f"it has {len(ics)} bytes, and {MAX_ICS_BYTES} are the most")
        event_count = await self._parser.count(ics)
        now = self._clock.now()
        await self._store.put(owner, StoredCalendar(title, event_count, now, now), ics)
        return event_count
