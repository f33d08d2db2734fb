"""Puts together what is known of a person for a window of time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.context import Context, assembled
from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, SourceStatus
from dashboard_service.domain.window import Window, window_of
from dashboard_service.ports.calendar_source import CalendarSource
from dashboard_service.ports.sync_journal import SyncJournal
from dashboard_service.use_cases.find_calendars import TOO_SLOW, FindCalendars
from shared.clock import Clock
from shared.errors import NexusError

_Part = tuple[SourceStatus, Sequence[CalendarEvent]]


@dataclass(frozen=True, slots=True)
class ContextQuery:
    """What is asked: times are aware or None for the default, `time_zone` is an IANA name or empty for UTC.

    `within_s` is how long all of it may take, in seconds, at least 0.
    """

    start: datetime | None
    end: datetime | None
    time_zone: str
    within_s: float


class GetContext:
    """Reads all of a person's calendars at once, each with a deadline; none can break or delay the rest."""

    def __init__(self, sources: Sequence[CalendarSource], journal: SyncJournal, clock: Clock) -> None:
        self._sources = {source.name: source for source in sources}
        self._find = FindCalendars(sources)
        self._journal = journal
        self._clock = clock

    async def __call__(self, owner: Owner, query: ContextQuery) -> Context:
        """Return the context of `owner`.

        A source that fails or is late has its part missing or old, and a status that says so.

        Raises:
            InvalidInput: TIME_ZONE_UNKNOWN or WINDOW_INVALID.
        """
        now = self._clock.now()
        window = window_of(query.start, query.end, query.time_zone, now)
        # Finding is quick or not at all; most of the time is for reading.
        found = await self._find(owner, query.within_s * 0.3)
        refs = [ref for refs in found.calendars.values() for ref in refs]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._read(ref, window, query.within_s * 0.6)) for ref in refs]
        parts: list[_Part] = [
            (SourceStatus(name, stale=True, error=problem, demo=self._sources[name].demo), ())
            for name, problem in found.problems.items()
        ]
        return assembled([*parts, *(task.result() for task in tasks)], now)

    async def _read(self, ref: CalendarRef, window: Window, within_s: float) -> _Part:
        """Return what one calendar gives, or nothing and why."""
        read_at: datetime | None = None
        events: Sequence[CalendarEvent] = ()
        try:
            async with asyncio.timeout(within_s):
                reading = await self._sources[ref.adapter].fetch(ref, window, within_s * 0.9)
            events, problem, read_at = reading.events, reading.problem, reading.read_at
        except NexusError as error:
            problem = error.message
        except TimeoutError:
            problem = TOO_SLOW
        self._journal.note(ref.owner, ref.adapter, read_at, problem)
        return SourceStatus(ref.adapter, ref.name, bool(problem), problem, ref.demo), events
