"""A bounded line of events from a run to the one who reads them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from sandbox_service.domain.run_event import RunEvent


class EventFeed:
    """Events with back-pressure: who puts waits for who reads, until the reader leaves.

    Args:
        capacity: most events that wait to be read.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: deque[RunEvent] = deque()
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._abandoned = False
        self._ended = False
        self._error: Exception | None = None

    async def put(self, event: RunEvent) -> None:
        """Add an event, waiting for room. After `abandon` it is dropped."""
        while len(self._events) >= self._capacity and not self._abandoned:
            self._writable.clear()
            await self._writable.wait()
        if not self._abandoned:
            self._events.append(event)
            self._readable.set()

    def end(self, error: Exception | None = None) -> None:
        """Let the reader end, with `error` if there is one, after the events that wait."""
        self._ended, self._error = True, error
        self._readable.set()

    def abandon(self) -> None:
        """Note that nobody reads any more. Idempotent."""
        self._abandoned = True
        self._events.clear()
        self._writable.set()

    async def events(self) -> AsyncGenerator[RunEvent, None]:
        """Yield the events until the end.

        Raises:
            Exception: the error that the feed was ended with.
        """
        while True:
            while self._events:
                event = self._events.popleft()
                self._writable.set()
                yield event
            if self._ended:
                break
            self._readable.clear()
            await self._readable.wait()
        if self._error is not None:
            raise self._error
