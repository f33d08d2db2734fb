"""Fakes of the dashboard's ports. Those that stand for an adapter pass the same conformance suites as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard_service.adapters.calendar_parser_icalendar import expanded, parsed
from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.errors import CalendarInvalid, too_many_calendars
from dashboard_service.domain.owner import Owner
from dashboard_service.domain.source import CalendarRef, CalendarSettings, Reading
from dashboard_service.domain.stored_calendar import MAX_CALENDARS_PER_USER, StoredCalendar
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_feed import Feed
from dashboard_service.ports.calendar_parser import Expansion
from shared.errors import NexusError, NotFound

ANN = Owner("org-a", "ann")
BOB = Owner("org-a", "bob")
EVE = Owner("org-b", "ann")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Where FakeClock stands: a Friday."""


def window(days: float = 7, zone: str = "UTC", start: datetime = NOON) -> Window:
    return Window(start, start + timedelta(days=days), ZoneInfo(zone))


def event(
    uid: str = "e1", title: str = "Lunch", start: datetime = NOON, minutes: int = 60, **more: object
) -> CalendarEvent:
    return replace(CalendarEvent(uid, title, start, start + timedelta(minutes=minutes)), **more)


def vevent(body: str, uid: str | None = "u1") -> str:
    """Return a VEVENT with the lines of `body`."""
    head = ["BEGIN:VEVENT", *([f"UID:{uid}"] if uid else [])]
    return "\r\n".join([*head, *body.strip().splitlines(), "END:VEVENT", ""])


def calendar(*events: str, head: str = "") -> bytes:
    """Return an iCalendar file with what `vevent` gave; a bare body gets a UID by its place."""
    parts = [e if e.startswith("BEGIN:") else vevent(e, f"u{n}") for n, e in enumerate(events, start=1)]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", *head.strip().splitlines(), ""]
    return ("\r\n".join(lines) + "".join(parts) + "END:VCALENDAR\r\n").encode()


LUNCH = calendar("DTSTART:20261120T120000Z\nDTEND:20261120T130000Z\nSUMMARY:Lunch")
DAILY = calendar("DTSTART:20261101T090000Z\nDURATION:PT30M\nSUMMARY:Stand-up\nRRULE:FREQ=DAILY")


BAD_NAMES = ["   ", "a\nb", "a\0", "\u202egnp.exe"]


@contextmanager
def unguarded(_limit_s: float) -> Iterator[None]:
    yield


@dataclass
class InlineParser:
    """Reads in the test's own process: for files that the test wrote."""

    calls: int = 0

    async def count(self, ics: bytes) -> int:
        self.calls += 1
        found = parsed(ics, unguarded)
        for why, line in found.problems:
            raise CalendarInvalid(why, line)
        return len(found.series)

    async def expand(self, ics: bytes, window: Window, calendar: str) -> Expansion:
        self.calls += 1
        return expanded(parsed(ics, unguarded), window, calendar, unguarded)


@dataclass
class MemoryStore:
    """Keeps calendars in memory; `failure` is raised by everything while it is set."""

    failure: NexusError | None = None
    kept: dict[tuple[Owner, str], tuple[StoredCalendar, bytes]] = field(default_factory=dict)

    async def put(self, owner: Owner, calendar: StoredCalendar, ics: bytes) -> None:
        self._fail()
        earlier = self.kept.get((owner, calendar.name))
        if earlier is None and len(await self.list_of(owner)) >= MAX_CALENDARS_PER_USER:
            raise too_many_calendars(MAX_CALENDARS_PER_USER)
        created = earlier[0].created_at if earlier else calendar.created_at
        self.kept[owner, calendar.name] = (replace(calendar, created_at=created), ics)

    async def list_of(self, owner: Owner) -> Sequence[StoredCalendar]:
        self._fail()
        return sorted((c for (o, _), (c, _) in self.kept.items() if o == owner), key=lambda c: c.name)

    async def ics_of(self, owner: Owner, name: str) -> bytes:
        self._fail()
        try:
            return self.kept[owner, name][1]
        except KeyError:
            raise NotFound("CALENDAR_UNKNOWN", "You have no calendar of that name.") from None

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


@dataclass
class FakeSettings:
    """Gives `value`, or raises `failure`."""

    value: CalendarSettings = field(default_factory=CalendarSettings)
    failure: NexusError | None = None

    async def calendar(self) -> CalendarSettings:
        if self.failure:
            raise self.failure
        return self.value


@dataclass
class FakeFeed:
    """Gives `ics` after `delay_s`, or raises `failure`; counts its calls."""

    ics: bytes = LUNCH
    failure: NexusError | None = None
    delay_s: float = 0
    calls: int = 0
    read_at: datetime = NOON

    def host_of(self, url: str) -> str:
        return url.removeprefix("https://").partition("/")[0]

    async def fetch(self, org_id: str, url: str, timeout_s: float) -> Feed:
        self.calls += 1
        await asyncio.sleep(self.delay_s)
        if self.failure:
            raise self.failure
        return Feed(self.ics, self.read_at)


@dataclass
class FakeSource:
    """A source with one calendar a name in `names`, each with `events`, after `delay_s`, or with `failure`."""

    name: str = "fake"
    demo: bool = False
    names: Sequence[str] = ("main",)
    events: Sequence[CalendarEvent] = ()
    problem: str = ""
    delay_s: float = 0
    failure: NexusError | None = None
    find_failure: NexusError | None = None
    asked: list[Owner] = field(default_factory=list)

    async def calendars(self, owner: Owner) -> Sequence[CalendarRef]:
        self.asked.append(owner)
        if self.find_failure:
            raise self.find_failure
        return [CalendarRef(self.name, owner, name, name, self.demo) for name in self.names]

    async def fetch(self, calendar: CalendarRef, window: Window, within_s: float) -> Reading:
        await asyncio.sleep(self.delay_s)
        if self.failure:
            raise self.failure
        own = (replace(e, calendar=calendar.name, demo=self.demo) for e in self.events)
        return Reading(tuple(e for e in own if window.overlaps(e.start, e.end)), NOON, self.problem)
