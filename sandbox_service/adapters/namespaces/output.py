"""Passes a program's output on, up to its limit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from sandbox_service.adapters.namespaces.feed import EventFeed
from sandbox_service.domain.run_event import MAX_CHUNK_BYTES, OutputChunk, Stream


async def readable(fd: int) -> None:
    """Wait until `fd` can be read or has ended. One waiter at a time for a descriptor."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


class OutputRelay:
    """Reads both streams of a run into a feed.

    Args:
        feed: where chunks go.
        limit_bytes: most bytes of both streams together.
        on_limit: called once when the program has written more.
    """

    def __init__(self, feed: EventFeed, limit_bytes: int, on_limit: Callable[[], None]) -> None:
        self._feed = feed
        self._left = limit_bytes
        self._on_limit = on_limit
        self.truncated = False

    async def relay(self, fd: int, stream: Stream) -> None:
        """Read `fd` to its end, or to the limit."""
        while not self.truncated:
            await readable(fd)
            try:
                data = os.read(fd, MAX_CHUNK_BYTES)
            except BlockingIOError:
                continue
            if not data:
                return
            passed, self._left = data[: self._left], max(0, self._left - len(data))
            if len(passed) < len(data):
                self.truncated = True
                self._on_limit()
            if passed:
                await self._feed.put(OutputChunk(stream, passed))
