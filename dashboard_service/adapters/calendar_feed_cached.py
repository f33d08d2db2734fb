"""A calendar feed that keeps the last copy of each organisation, and gives it where there is no newer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from dashboard_service.domain.errors import CalendarUnreachable
from dashboard_service.ports.calendar_feed import CalendarFeed, Feed
from shared.clock import Clock
from shared.errors import NexusError

_MAX_ENTRIES = 1_000


@dataclass(slots=True)
class _Entry:
    """What is known of one organisation's address. `lock` is held while it is fetched."""

    url: str = field(repr=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    feed: Feed | None = None
    failure: str = ""
    again_at_s: float = 0.0


class CachedCalendarFeed:
    """Fetches an address at most once in `ttl_s` seconds, and a failing one once in `retry_s`.

    There is one copy an organisation, never shared between two, and `max_bytes` of copies in all: those used least
    lately go first. Callers that come while a fetch is under way share it.
    """

    def __init__(
        self,
        feed: CalendarFeed,
        clock: Clock,
        ttl_s: float = 300.0,
        retry_s: float = 30.0,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._feed = feed
        self._clock = clock
        self._ttl_s = ttl_s
        self._retry_s = retry_s
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def host_of(self, url: str) -> str:
        """Return the host in `url` for people to see."""
        return self._feed.host_of(url)

    async def fetch(self, org_id: str, url: str, timeout_s: float) -> Feed:
        """Return the file at `url`: a copy that is new enough, else a new one, else an older one with the problem."""
        entry = self._entry(org_id, url)
        problem = ""
        try:
            async with asyncio.timeout(timeout_s), entry.lock:
                if self._clock.monotonic() >= entry.again_at_s:
                    await self._refresh(entry, org_id, timeout_s * 0.9)
                problem = entry.failure
        except TimeoutError:
            problem = f"{self.host_of(url)} did not answer in time."
        if entry.feed is None:
            raise CalendarUnreachable(problem)
        return replace(entry.feed, problem=f"{problem} This is an older copy.") if problem else entry.feed

    def _entry(self, org_id: str, url: str) -> _Entry:
        entry = self._entries.get(org_id)
        if entry is None or entry.url != url:
            entry = self._entries[org_id] = _Entry(url)
        self._entries.move_to_end(org_id)
        if len(self._entries) > _MAX_ENTRIES:
            self._entries.popitem(last=False)
        return entry

    async def _refresh(self, entry: _Entry, org_id: str, timeout_s: float) -> None:
        try:
            entry.feed = await self._feed.fetch(org_id, entry.url, timeout_s)
        except NexusError as error:
            entry.failure = error.message
            entry.again_at_s = self._clock.monotonic() + self._retry_s
            return
        entry.failure = ""
        entry.again_at_s = self._clock.monotonic() + self._ttl_s
        self._shrink()

    def _shrink(self) -> None:
        """Drop the copies used least lately until the rest fits; the newest always stays."""
        size_bytes = sum(len(entry.feed.ics) for entry in self._entries.values() if entry.feed)
        while size_bytes > self._max_bytes and len(self._entries) > 1:
            _, dropped = self._entries.popitem(last=False)
            size_bytes -= len(dropped.feed.ics) if dropped.feed else 0
