"""Windows and events as the service and its parser process write them in their messages: numbers and texts only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.window import Window, zone_of
from shared.worker.frames import Message

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def window_to_wire(window: Window) -> Message:
    """Return `window` as a message."""
    return {"start_us": to_us(window.start), "end_us": to_us(window.end), "zone": window.zone.key}


def window_from_wire(message: Message) -> Window:
    """Return the window in `message`."""
    return Window(from_us(message["start_us"]), from_us(message["end_us"]), zone_of(message["zone"]))


def event_to_wire(event: CalendarEvent) -> Sequence[object]:
    """Return `event` as a list; its calendar is known to both sides."""
    return (
        event.uid,
        event.title,
        to_us(event.start),
        to_us(event.end),
        event.all_day,
        event.recurring,
        event.location,
        event.description,
    )


def event_from_wire(row: Sequence[Any], calendar: str) -> CalendarEvent:
    """Return the event in `row`, as of the calendar `calendar`.

    Raises:
        ValueError, TypeError: when it is none.
    """
    uid, title, start_us, end_us, all_day, recurring, location, description = row
    return CalendarEvent(
        uid=str(uid),
        title=str(title),
        start=from_us(start_us),
        end=from_us(end_us),
        all_day=bool(all_day),
        recurring=bool(recurring),
        calendar=calendar,
        location=str(location),
        description=str(description),
    )


def to_us(moment: datetime) -> int:
    """Return microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(value: int) -> datetime:
    """Return the moment that is `value` microseconds after 1970 in UTC."""
    return _EPOCH + timedelta(microseconds=value)
