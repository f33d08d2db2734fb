"""Port: the iCalendar file behind an address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Feed:
    """A copy of the file: its bytes, when it was read (aware, in UTC), and why it is no newer; empty when it is new."""

    ics: bytes
    read_at: datetime
    problem: str = ""


class CalendarFeed(Protocol):
    """Fetches iCalendar files from addresses that people chose. Nothing it raises or logs holds more than the host."""

    def host_of(self, url: str) -> str:
        """Return the host in `url` for people to see.

        Raises:
            CalendarAddressRefused: when `url` is not one that would be fetched, whatever its host.
        """
        ...

    async def fetch(self, org_id: str, url: str, timeout_s: float) -> Feed:
        """Return the file at `url`, for the organisation `org_id`, within `timeout_s` seconds.

        Raises:
            CalendarAddressRefused: when `url`, or an address that it leads to, is not one to fetch from.
            CalendarUnreachable: when it does not give a calendar now.
        """
        ...
