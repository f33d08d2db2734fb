"""Port: reads iCalendar files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.window import Window


@dataclass(frozen=True, slots=True)
class Expansion:
    """The occurrences of a file in a window, in no order, and why some are missing (empty when none are)."""

    events: tuple[CalendarEvent, ...]
    problem: str = ""


class CalendarParser(Protocol):
    """Reads iCalendar files (RFC 5545) that anybody may have written.

    Both methods end within a time of their own and hold a bounded memory whatever the file says, and do not block
    the event loop. They change nothing.
    """

    async def count(self, ics: bytes) -> int:
        """Return the number of events in `ics`, a series counted once, after checking all of it.

        Raises:
            CalendarInvalid: when it is no iCalendar file, or an event in it cannot be read.
            UpstreamDown: when it cannot be read now.
        """
        ...

    async def expand(self, ics: bytes, window: Window, calendar: str) -> Expansion:
        """Return the occurrences in `ics` that overlap `window`, marked as of the calendar `calendar`.

        Cancelled ones are left out. An event that cannot be read is left out with a problem.

        Raises:
            CalendarInvalid: when it is no iCalendar file.
            UpstreamDown: when it cannot be read now.
        """
        ...
