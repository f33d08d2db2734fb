"""Port: an adapter of the category calendar, such as imported files or an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window


class CalendarSource(Protocol):
    """Finds and reads a person's calendars of one kind. Reading changes nothing and may be repeated."""

    @property
    def name(self) -> str:
        """The adapter's name, for example `icalendar_file`."""
        ...

    @property
    def demo(self) -> bool:
        """Whether its data is a demonstration, shown only while nothing else is connected."""
        ...

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        """Return the calendars of `owner` that it could read, by name; none when it is not connected.

        Raises:
            NexusError: when that cannot be found out now.
        """
        ...

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        """Return the occurrences in `calendar` that overlap `window`, cancelled ones left out.

        Old data is better than none: where new data cannot be had within `within_s` seconds, older data is given
        with the problem. The caller enforces the time as well.

        Raises:
            NexusError: when there is no data at all; the message names no address and no secret.
        """
        ...
