"""The canonical calendar event: one occurrence, whatever calendar it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

MAX_TITLE_CHARS = 300
MAX_LOCATION_CHARS = 300
MAX_DESCRIPTION_CHARS = 2_000
MAX_UID_CHARS = 255


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One occurrence of an event.

    Attributes:
        uid: occurrences of one series share it; never empty.
        title: at most `MAX_TITLE_CHARS` characters; may be empty.
        start: aware, in UTC. For an all-day event the start of its first day in the zone that was asked for.
        end: aware, in UTC, exclusive, never before the start.
        all_day: whether it takes whole days.
        recurring: whether it is one of a series.
        calendar: name of the calendar that it comes from.
        location: at most `MAX_LOCATION_CHARS` characters.
        description: at most `MAX_DESCRIPTION_CHARS` characters.
        demo: whether it is demonstration data.
    """

    uid: str
    title: str
    start: datetime
    end: datetime
    all_day: bool = False
    recurring: bool = False
    calendar: str = ""
    location: str = ""
    description: str = ""
    demo: bool = False

    def __post_init__(self) -> None:
        # Aware times of one zone compare by their wall clock, which runs twice through an hour in autumn; only
        # times in UTC are in the order in which they happen.
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise ValueError("an event's times are in UTC")
        if self.end < self.start:
            raise ValueError("an event ends before it starts")
        if not self.uid:
            raise ValueError("an event needs a uid")

    @property
    def order(self) -> tuple[datetime, str, str]:
        """By start, then title, then uid."""
        return (self.start, self.title, self.uid)

    @property
    def text_size_bytes(self) -> int:
        """Size of its texts in UTF-8."""
        return sum(
            len(text.encode()) for text in (self.uid, self.title, self.location, self.description, self.calendar)
        )


def one_line(text: str, limit: int) -> str:
    """Return `text` as one line without control characters, cut to `limit` characters."""
    return clipped(" ".join(text.split()), limit)


def clipped(text: str, limit: int) -> str:
    """Return `text` without control characters other than line breaks and tabs, cut to `limit` characters.

    A cut is marked by an ellipsis.
    """
    # Cut first: what comes in may be a megabyte of which a screenful is kept.
    kept = "".join(c for c in text[: limit + 1] if c in "\n\t" or (c >= " " and c != "\x7f"))
    return kept if len(text) <= limit else kept[: limit - 1] + "…"
