"""Calendar source: the iCalendar files that a person imported."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_parser import CalendarParser
from dashboard_service.ports.calendar_store import CalendarStore
from shared.clock import Clock


class IcsCalendarSource:
    """Reads imported files; each is one calendar."""

    name = "icalendar_file"
    demo = False

    def __init__(self, store: CalendarStore, parser: CalendarParser, clock: Clock) -> None:
        self._store = store
        self._parser = parser
        self._clock = clock

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        """Return the imported calendars of `owner`, by name."""
        stored = await self._store.list_of(owner)
        return [CalendarRef(self.name, owner, calendar.name, calendar.name) for calendar in stored]

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        """Return the occurrences in `calendar` that overlap `window`. Nothing is older than what is stored."""
        del within_s  # There is no older data to fall back to, and the caller enforces the time.
        ics = await self._store.ics_of(calendar.owner, calendar.locator)
        expansion = await self._parser.expand(ics, window, calendar.name)
        return Reading(expansion.events, self._clock.now(), expansion.problem)
