"""A calendar source that reads one calendar at a time for each person."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, Reading
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_source import CalendarSource


class FairCalendarSource:
    """Decorates `source`, so that nobody's many or slow calendars take every parser, or the memory, from the others.

    Who waits holds no file: the source loads it when its turn has come. The caller's deadline ends the waiting.
    """

    def __init__(self, source: CalendarSource) -> None:
        self._source = source
        self._turns: WeakValueDictionary[Owner, asyncio.Lock] = WeakValueDictionary()
        self.name = source.name
        self.demo = source.demo

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        """Return the calendars of `owner` that the source could read."""
        return await self._source.calendars(owner)

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        """Return what the source gives, after the same person's calendars before it."""
        # Kept alive by whoever holds it or waits for it, and gone with the last of them.
        turn = self._turns.setdefault(calendar.owner, asyncio.Lock())
        began_s = asyncio.get_running_loop().time()
        async with turn:
            waited_s = asyncio.get_running_loop().time() - began_s
            return await self._source.fetch(calendar, window, within_s - waited_s)
