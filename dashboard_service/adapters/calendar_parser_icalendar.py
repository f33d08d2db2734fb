"""Reads iCalendar files with the libraries icalendar and recurring-ical-events. Synchronous, for a process of its own.

Anybody may have written the file, and the libraries trust it: a rule may repeat for ever without a result, a few bytes
may stand for millions of occurrences. So every step runs under a guard that ends it when its time is over.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any, cast

import x_wr_timezone
from icalendar import Calendar
from icalendar.cal import Event
from icalendar.timezone import tzp
from icalendar.timezone.zoneinfo import ZONEINFO
from recurring_ical_events import EventAdapter, Series

from dashboard_service.adapters.calendar_parser_event import (
    is_cancelled,
    is_of_series,
    occurrence_of,
    prepare,
    problem_of,
)
from dashboard_service.adapters.calendar_parser_outline import MAX_EVENTS, outline_of
from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.context import fitting, merged
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_parser import Expansion

PARSE_S = 4.0
EXPAND_S = 3.0
SERIES_S = 0.8
# What the libraries raise at input that they did not expect. KeyError and IndexError are LookupErrors, a bad
# recurrence rule is a ValueError, a year 10000 an OverflowError.
_FAILURES = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    MemoryError,
    OSError,
)
# Dates and floating times are compared without a zone: no zone is further than this from UTC.
_ZONE_MARGIN = timedelta(hours=26)

Guard = Callable[[float], AbstractContextManager[None]]
"""Ends the work inside with OutOfTime when it has used so many seconds of the processor."""


class OutOfTime(BaseException):
    """The work used all its time. Not an Exception, so that no library takes it for one of its own."""


class _Zones(ZONEINFO):
    """The zones of the system's database, which is a folder: names of folders and too long ones are nobody's."""

    def timezone(self, name: str) -> tzinfo | None:
        """Return the zone `name`, or None where there is none."""
        try:
            return super().timezone(name)
        except OSError:
            return None


@dataclass(frozen=True, slots=True)
class ParsedSeries:
    """An event with all its exceptions; `recurring` says whether it is a series at all, `line` where it begins."""

    series: Series
    recurring: bool
    line: int | None


@dataclass(slots=True)
class ParsedCalendar:
    """A file: its series, and what is wrong with the events that are not among them, with their lines."""

    series: list[ParsedSeries]
    problems: list[tuple[str, int | None]]


def parsed(ics: bytes, guard: Guard) -> ParsedCalendar:
    """Return the file `ics`.

    Raises:
        CalendarInvalid: when it is no iCalendar file.
    """
    try:
        with guard(PARSE_S), _unwarned():
            return _parsed(ics)
    except OutOfTime:
        raise CalendarInvalid("it takes too long to read") from None


def expanded(calendar: ParsedCalendar, window: Window, name: str, guard: Guard) -> Expansion:
    """Return the occurrences in `calendar` that overlap `window`, marked as of the calendar `name`.

    A series that takes too long to work out moves to the calendar's problems, and costs no time again.
    """
    events: list[CalendarEvent] = []
    unread = 0
    end_s = time.process_time() + EXPAND_S
    with _unwarned():
        for series in tuple(calendar.series):
            if time.process_time() >= end_s:
                return Expansion(_kept(events), "It takes too long to read all of it; some events are missing.")
            try:
                with guard(SERIES_S):
                    occurrences, whole = _occurrences(series, window, name, MAX_EVENTS + 1 - len(events))
            except OutOfTime:
                calendar.series.remove(series)
                calendar.problems.append(("the event's repetitions take too long to work out", series.line))
                continue
            events += occurrences
            unread += not whole
            if len(events) > MAX_EVENTS:
                break
    kept = _kept(events)
    if len(events) > MAX_EVENTS or len(kept) < len(merged([events])):
        return Expansion(kept, "It has more events than can be shown; ask for a shorter window.")
    unread += len(calendar.problems)
    return Expansion(kept, f"{unread} of its events cannot be read." if unread else "")


def _kept(events: Sequence[CalendarEvent]) -> tuple[CalendarEvent, ...]:
    return tuple(fitting(merged([events])))


def _parsed(ics: bytes) -> ParsedCalendar:
    # The library keeps every VTIMEZONE that it ever saw, by its TZID: one person's file would set another's times.
    tzp.use(_Zones())
    outline = outline_of(ics)
    lines = iter(outline.event_lines)
    calendar = ParsedCalendar([], [])
    groups: dict[tuple[int, str], list[tuple[Event, int | None]]] = {}
    for number, part in enumerate(_calendars(outline.text)):
        called_off = str(part.get("METHOD", "")).upper() == "CANCEL"
        for event in part.events:
            line = next(lines, None)
            problem = _readied(event)
            if problem:
                calendar.problems.append((problem, line))
            elif not called_off:
                groups.setdefault((number, str(event["UID"])), []).append((event, line))
    for group in groups.values():
        line = group[0][1]
        try:
            calendar.series.append(_series_of([event for event, _ in group], line))
        except _FAILURES:
            calendar.problems.append(("the event's times do not fit together", line))
    return calendar


def _readied(event: Event) -> str:
    """Make `event` ready for grouping into series, or return why it cannot be used."""
    try:
        problem = problem_of(event)
        if not problem:
            prepare(event)
    except _FAILURES:
        return "the event's times cannot be read"
    return problem


def _calendars(text: str) -> Sequence[Calendar]:
    """Return the calendars in `text`, UTC and floating times moved to the zone that a calendar names for itself."""
    try:
        found = Calendar.from_ical(text, multiple=True)
    except MemoryError:
        raise CalendarInvalid("it takes too much memory to read") from None
    except _FAILURES as error:
        # Events that are wrong are kept apart by the library; what else is left is how their zones are defined.
        raise CalendarInvalid("a VTIMEZONE in it cannot be read") from error
    # A first line that continues on the second makes a component of another name.
    if not all(type(calendar) is Calendar for calendar in found):
        raise CalendarInvalid("BEGIN:VCALENDAR is expected here", 1)
    return [_in_its_zone(calendar) for calendar in found]


def _in_its_zone(calendar: Calendar) -> Calendar:
    calendar.subcomponents = [part for part in calendar.subcomponents if isinstance(part, Event)]
    try:
        return x_wr_timezone.to_standard(calendar)
    except _FAILURES:
        # A zone that nobody knows: the times are meant as they stand.
        return calendar


def _series_of(events: Sequence[Event], line: int | None) -> ParsedSeries:
    adapters = [EventAdapter(event) for event in events]
    return ParsedSeries(Series(adapters), any(is_of_series(event) for event in events), line)


def _occurrences(series: ParsedSeries, window: Window, name: str, room: int) -> tuple[list[CalendarEvent], bool]:
    """Return at most `room` occurrences of one series, and whether all of it could be read."""
    events: list[CalendarEvent] = []
    first, last = window.start - _ZONE_MARGIN, window.end + _ZONE_MARGIN
    try:
        for occurrence in series.series.between(first, last):
            component = cast("Any", occurrence.as_component(keep_recurrence_attributes=True))
            if is_cancelled(component):
                continue
            event = occurrence_of(component, window, name, recurring=series.recurring)
            if window.overlaps(event.start, event.end):
                events.append(event)
            if len(events) >= room:
                break
    except _FAILURES:
        return events, False
    return events, True


@contextmanager
def _unwarned() -> Generator[None]:
    """Keep the libraries from writing warnings that quote the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
