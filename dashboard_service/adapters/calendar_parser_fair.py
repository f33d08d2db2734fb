"""A calendar parser that checks one file at a time for each organisation."""

from __future__ import annotations

import asyncio
from collections import Counter
from weakref import WeakValueDictionary

from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_parser import CalendarParser, Expansion
from shared.auth.context import current_principal
from shared.errors import QuotaExceeded


class FairCalendarParser:
    """Decorates `parser`, so that one organisation's imports cannot take every parser from the others.

    Files that wait are in memory, so only `most` of an organisation may; the next is turned away.
    """

    def __init__(self, parser: CalendarParser, most: int = 8) -> None:
        self._parser = parser
        self._most = most
        self._waiting: Counter[str] = Counter()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def count(self, ics: bytes) -> int:
        """Return what the parser gives, after the same organisation's files before it.

        Raises:
            QuotaExceeded: IMPORTS_EXHAUSTED when too many of the current principal's organisation wait.
        """
        org_id = current_principal().org_id
        if self._waiting[org_id] >= self._most:
            raise QuotaExceeded(
                "IMPORTS_EXHAUSTED",
                f"Your organisation is importing {self._most} calendars already. Try again in a moment.",
                retry_after_s=2.0,
            )
        turn = self._turns.setdefault(org_id, asyncio.Lock())
        self._waiting[org_id] += 1
        try:
            async with turn:
                return await self._parser.count(ics)
        finally:
            self._waiting[org_id] -= 1
            if not self._waiting[org_id]:
                del self._waiting[org_id]

    async def expand(self, ics: bytes, window: Window, calendar: str) -> Expansion:
        """Return what the parser gives; reading takes turns elsewhere, before a file is loaded."""
        return await self._parser.expand(ics, window, calendar)
