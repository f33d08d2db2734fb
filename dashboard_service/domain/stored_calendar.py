"""A calendar that a person imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_CALENDARS_PER_USER = 20
MAX_ICS_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredCalendar:
    """What is known of an imported calendar without its file.

    `event_count` counts a series once. Times are aware and in UTC.
    """

    name: str
    event_count: int
    created_at: datetime
    updated_at: datetime
