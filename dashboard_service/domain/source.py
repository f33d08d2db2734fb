"""Where data comes from, and how reading it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.owner import Owner


@dataclass(frozen=True, slots=True)
class CalendarSettings:
    """What an organisation set about calendars.

    `url` is the address of an iCalendar file, empty for none. It may hold a secret token and is in no representation.
    `demo` is whether to show the demonstration data while nothing else is connected.
    """

    url: str = field(repr=False, default="")
    demo: bool = True


@dataclass(frozen=True, slots=True)
class CalendarRef:
    """One calendar of one person that an adapter can read.

    `locator` is what the adapter finds it by: a name or an address. It may hold a secret and is in no representation.
    """

    adapter: str
    owner: Owner
    name: str
    locator: str = field(repr=False, default="")
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a calendar gave for a window.

    Attributes:
        events: those that overlap the window, in no order.
        read_at: when the data was last read from where it comes from, aware, in UTC.
        problem: why it is stale or incomplete, a sentence for people; empty when all is well.
    """

    events: tuple[CalendarEvent, ...]
    read_at: datetime
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one calendar, or a whole adapter where `source` is empty, did."""

    adapter: str
    source: str = ""
    stale: bool = False
    error: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Sync:
    """The last time that an adapter was read for a person: when it last worked, and why the last time did not."""

    last_sync: datetime | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class AdapterStatus:
    """An adapter as it is for one person."""

    name: str
    category: str
    connected: bool
    demo: bool
    sync: Sync
