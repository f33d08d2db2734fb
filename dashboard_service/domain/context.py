"""The context: many sources' data as one, for a person and a window of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.source import SourceStatus

MAX_EVENTS = 5_000
MAX_TEXT_BYTES = 4 * 1024 * 1024
"""Together with the fixed parts of `MAX_EVENTS` events this stays well below the 8 MiB of a message."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a person for a window of time.

    Attributes:
        events: by start, title and uid; no occurrence twice.
        sources: how each source did, by adapter and name.
        created_at: when it was put together, aware, in UTC.
    """

    events: tuple[CalendarEvent, ...]
    sources: tuple[SourceStatus, ...]
    created_at: datetime


def merged(parts: Iterable[Iterable[CalendarEvent]]) -> list[CalendarEvent]:
    """Return the events of all parts in order, each occurrence once.

    Two events with one uid and start are one occurrence that two calendars hold; that of the earlier part stays.
    """
    seen: dict[tuple[str, datetime], CalendarEvent] = {}
    for part in parts:
        for event in part:
            seen.setdefault((event.uid, event.start), event)
    return sorted(seen.values(), key=lambda event: event.order)


def fitting(events: Sequence[CalendarEvent]) -> Sequence[CalendarEvent]:
    """Return as many of the first events as one answer can hold: `MAX_EVENTS` and `MAX_TEXT_BYTES`."""
    size_bytes = 0
    for count, event in enumerate(events):
        size_bytes += event.text_size_bytes
        if count == MAX_EVENTS or size_bytes > MAX_TEXT_BYTES:
            return events[:count]
    return events


def assembled(parts: Sequence[tuple[SourceStatus, Sequence[CalendarEvent]]], created_at: datetime) -> Context:
    """Return the context of what each source gave.

    Where not all fits, the earliest events stay and each source that lost some is marked stale and says so.
    """
    ordered = sorted(parts, key=lambda part: (part[0].adapter, part[0].source))
    everything = merged(events for _, events in ordered)
    events = fitting(everything)
    cut = {event.calendar for event in everything[len(events) :]}
    sources = tuple(_marked(status, cut) for status, _ in ordered)
    return Context(tuple(events), sources, created_at)


def _marked(status: SourceStatus, cut: set[str]) -> SourceStatus:
    if status.source not in cut or not status.source:
        return status
    why = "Not all its events fit; ask for a shorter window."
    return SourceStatus(status.adapter, status.source, stale=True, error=status.error or why, demo=status.demo)
