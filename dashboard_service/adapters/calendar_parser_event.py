"""One VEVENT: whether it can be used, and an occurrence of it as a canonical event."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import cast

from icalendar.cal import Event
from icalendar.prop import vDDDLists, vDDDTypes, vDuration, vInt, vRecur

from dashboard_service.domain.calendar_event import (
    MAX_DESCRIPTION_CHARS,
    MAX_LOCATION_CHARS,
    MAX_TITLE_CHARS,
    MAX_UID_CHARS,
    CalendarEvent,
    clipped,
    one_line,
)
from dashboard_service.domain.window import Window, start_of_day

_TIMES = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID")
_DATES = ("RDATE", "EXDATE")
_TOO_OFTEN = frozenset({"SECONDLY", "MINUTELY"})
_FREQUENCIES = frozenset({"HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


def problem_of(event: Event) -> str:
    """Return why `event` cannot be used, without a full stop; empty when it can.

    Only what says when it is counts. Whatever else cannot be read is left out of it.
    """
    for name in _TIMES:
        value = cast("object", event.get(name))
        if isinstance(value, list):
            return f"the event has more than one {name}"
        if value is not None and not isinstance(value, (vDDDTypes, vDuration)):
            return f"the event's {name} cannot be read"
    for name in _DATES:
        if not all(isinstance(value, vDDDLists) for value in _listed(event.get(name))):
            return f"the event's {name} cannot be read"
    if "DTSTART" not in event:
        return "the event has no DTSTART"
    start = _value(event, "DTSTART")
    if not isinstance(start, date):
        return "the event's DTSTART is no date"
    return _end_problem(event, start) or _rule_problem(event)


def _end_problem(event: Event, start: date) -> str:
    end = _value(event, "DTEND")
    if end is not None and not isinstance(end, date):
        return "the event's DTEND is no date"
    duration = _value(event, "DURATION")
    if duration is not None and not isinstance(duration, timedelta):
        return "the event's DURATION is no duration"
    if (duration or timedelta()) < timedelta() or (end is not None and _is_before(end, start)):
        return "the event ends before it starts"
    return ""


def _is_before(end: date, start: date) -> bool:
    """Return whether `end` is before `start`, as far as the two can be compared without a zone."""
    if isinstance(end, datetime) and isinstance(start, datetime):
        if (end.tzinfo is None) != (start.tzinfo is None):
            return False
        if end.tzinfo is not None:
            return end.astimezone(UTC) < start.astimezone(UTC)
        return end < start
    return type(end) is type(start) and end < start


def _rule_problem(event: Event) -> str:
    for rule in _listed(event.get("RRULE")):
        if not isinstance(rule, vRecur):
            return "the event's RRULE cannot be read"
        frequencies = {str(value).upper() for value in _listed(rule.get("FREQ"))}
        if frequencies & _TOO_OFTEN:
            return "the event repeats more often than every hour"
        if len(frequencies) != 1 or not frequencies <= _FREQUENCIES:
            return "the event's RRULE has no FREQ that is known"
    return ""


def _value(event: Event, name: str) -> object:
    """Return what the property `name` stands for, a date, a time or a duration; None where there is none."""
    return cast("object", getattr(event.get(name), "dt", None))


def _listed(value: object) -> Iterable[object]:
    """Return the values of a property that may stand once, several times or not at all."""
    if value is None:
        return ()
    return cast("list[object]", value) if isinstance(value, list) else (value,)


def prepare(event: Event) -> None:
    """Give `event` what grouping it into a series relies on: one UID, a SEQUENCE that is a number, no parts."""
    uid = next(iter(_listed(event.get("UID"))), "")
    event["UID"] = one_line(str(uid), MAX_UID_CHARS) or _uid_for(event)
    if "SEQUENCE" in event and not isinstance(event["SEQUENCE"], vInt):
        del event["SEQUENCE"]
    event.subcomponents = []


def _uid_for(event: Event) -> str:
    """Return a UID for an event without one, the same whenever the file is read."""
    key = f"{_text(event, 'SUMMARY')}\n{_value(event, 'DTSTART')}"
    return "none-" + hashlib.sha256(key.encode()).hexdigest()[:32]


def is_of_series(event: Event) -> bool:
    """Return whether `event` repeats, or stands for one occurrence of an event that does."""
    return any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))


def is_cancelled(event: Event) -> bool:
    """Return whether `event` was called off."""
    return _text(event, "STATUS").strip().upper() == "CANCELLED"


def occurrence_of(event: Event, window: Window, calendar: str, *, recurring: bool) -> CalendarEvent:
    """Return `event`, whose DTSTART and DTEND are those of one occurrence, as a canonical event.

    Dates and floating times are meant in the window's zone.

    Raises:
        OverflowError, TypeError, ValueError: when it is beyond what `datetime` can hold.
    """
    first, last = _value(event, "DTSTART"), _value(event, "DTEND")
    if not isinstance(first, date) or not isinstance(last, date):
        raise TypeError("an occurrence has a start and an end")
    all_day = not isinstance(first, datetime)
    start = _moment(first, window)
    end = max(start, _moment(last, window))
    if all_day and end == start:
        end = _moment(first + timedelta(days=1), window)
    return CalendarEvent(
        uid=str(event["UID"]),
        title=one_line(_text(event, "SUMMARY"), MAX_TITLE_CHARS),
        start=start,
        end=end,
        all_day=all_day,
        recurring=recurring,
        calendar=calendar,
        location=one_line(_text(event, "LOCATION"), MAX_LOCATION_CHARS),
        description=clipped(_text(event, "DESCRIPTION"), MAX_DESCRIPTION_CHARS),
    )


def _moment(value: date, window: Window) -> datetime:
    if not isinstance(value, datetime):
        return start_of_day(value, window.zone)
    if value.tzinfo is None or value.utcoffset() is None:
        value = value.replace(tzinfo=window.zone)
    return value.astimezone(UTC)


def _text(event: Event, name: str) -> str:
    """Return the text of a property; the first where there are several, empty where there is none."""
    value = next(iter(_listed(event.get(name))), "")
    return str(value)
