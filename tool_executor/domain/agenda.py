"""A person's calendar for a window of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AgendaEvent:
    """One occurrence of an event.

    Args:
        title: what it is; anybody may have written it.
        start: when it starts, aware.
        end: when it ends, aware, exclusive.
        location: where it is; empty for nowhere.
        all_day: whether it takes whole days.
        calendar: the calendar that it comes from.
        demo: whether it is demonstration data.
    """

    title: str
    start: datetime
    end: datetime
    location: str
    all_day: bool
    calendar: str
    demo: bool


@dataclass(frozen=True, slots=True)
class AgendaSource:
    """How a calendar did: whether its part is old or missing, why (empty when all is well), whether it is a demo."""

    name: str
    stale: bool
    error: str
    demo: bool


@dataclass(frozen=True, slots=True)
class Agenda:
    """The events of a window by start, and how each calendar did."""

    events: tuple[AgendaEvent, ...]
    sources: tuple[AgendaSource, ...]
