"""What a service and its parser process say to each other: frames of JSON, each after its length.

Data only, whatever happens to the process: nothing that is read can be more than numbers and texts.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.window import Window, zone_of

LENGTH = struct.Struct(">I")
MAX_REPLY_BYTES = 32 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Message = Mapping[str, Any]


def framed(message: Message, body: bytes = b"") -> bytes:
    """Return `message` as a frame, and `body` as another after it when there is one."""
    head = orjson.dumps(message)
    frames = LENGTH.pack(len(head)) + head
    return frames + LENGTH.pack(len(body)) + body if body else frames


def unframed(payload: bytes) -> Message:
    """Return the message in the payload of a frame.

    Raises:
        ValueError: when it is none.
    """
    message = orjson.loads(payload)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")  # noqa: TRY004
    return cast("Message", message)


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
