"""A bounded line of events from a run to the one who reads them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from sandbox_service.domain.run_event import RunEvent

LEAST_EVENT_BYTES = 256
"""What even an empty event counts: each is work for everybody on its way."""


class EventFeed:
    """Events with back-pressure: who puts waits for who reads, until the reader leaves.

    Args:
        capacity_bytes: most bytes that wait to be read; a single event may be larger.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._bytes = 0
        self._events: deque[tuple[RunEvent, int]] = deque()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._abandoned = False
        self._cut = False
        self._ended = False
        self._error: Exception | None = None

    def add(self, event: RunEvent) -> None:
        """Add one of the events that there is only one of, room or not. After `abandon` it is dropped."""
        self._append(event, 0)

    async def put(self, event: RunEvent, size: int) -> bool:
        """Add an event of `size` bytes, waiting for room; say whether it was taken in.

        After `abandon` it is dropped, after `cut` if there is no room.
        """
        cost = max(LEAST_EVENT_BYTES, size)
        while self._is_full(cost) and not (self._abandoned or self._cut):
            self._writable.clear()
            await self._writable.wait()
        if self._is_full(cost):
            return False
        self._append(event, cost)
        return not self._abandoned

    def cut(self) -> None:
        """Let nobody wait for room any more. Idempotent."""
        self._cut = True
        self._writable.set()

    def end(self, error: Exception | None = None) -> None:
        """Let the reader end, with `error` if there is one, after the events that wait."""
        self._ended, self._error = True, error
        self._readable.set()

    def abandon(self) -> None:
        """Note that nobody reads any more. Idempotent."""
        self._abandoned = True
        self._events.clear()
        self._bytes = 0
        self._writable.set()

    async def events(self) -> AsyncGenerator[RunEvent, None]:
        """Yield the events until the end.

        Raises:
            Exception: the error that the feed was ended with.
        """
        while True:
            while self._events:
                event, cost = self._events.popleft()
                self._bytes -= cost
                self._writable.set()
                yield event
            if self._ended:
                break
            self._readable.clear()
            await self._readable.wait()
        if self._error is not None:
            raise self._error

    def _is_full(self, cost: int) -> bool:
        return self._bytes > 0 and self._bytes + cost > self._capacity_bytes

    def _append(self, event: RunEvent, cost: int) -> None:
        if not self._abandoned:
            self._events.append((event, cost))
            self._bytes += cost
            self._readable.set()
