"""Passes a program's output on, up to its limit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from sandbox_service.adapters.namespaces.feed import EventFeed
from sandbox_service.domain.run_event import MAX_CHUNK_BYTES, OutputChunk, RunEvent, Stream

_MOST_THROWN_AWAY = 1 << 20
"""In one go: more than a pipe holds, and not without end when a program goes on writing."""


class OutputRelay:
    """Reads the streams of a run or a cell into a feed.

    Args:
        feed: where chunks go.
        limit_bytes: most bytes of all streams and results together.
        on_limit: called once when the program has written more.
    """

    def __init__(self, feed: EventFeed, limit_bytes: int, on_limit: Callable[[], None]) -> None:
        self._feed = feed
        self._left = limit_bytes
        self._on_limit = on_limit
        self._wakers: set[asyncio.Event] = set()
        self._finishing = False
        self.truncated = False

    def finish(self) -> None:
        """Let `relay` end when it has passed on what is there now, though the streams stay open. Idempotent."""
        self._finishing = True
        for waker in self._wakers:
            waker.set()

    def take(self, size: int) -> int:
        """Count `size` more bytes and return how many of them may be passed on."""
        granted = min(size, self._left)
        self._left -= granted
        if granted < size and not self.truncated:
            self.truncated = True
            self._on_limit()
        return granted

    async def pass_on(self, event: RunEvent, size: int) -> None:
        """Put an event of `size` bytes into the feed; what finds no room after a kill is truncated."""
        if not await self._feed.put(event, size):
            self.truncated = True

    async def relay(self, fd: int, stream: Stream) -> None:
        """Read `fd` to its end, or until `finish`. What is beyond the limit is read too, and thrown away.

        Left in its pipe it would keep a session's program from ending its cell, and begin the output of the next.
        """
        # Looked at after the last reading of what there is, in the same step, so nothing that came before is missed.
        while await self._drain(fd, stream) and not self._finishing:
            await self._readable(fd)

    async def _readable(self, fd: int) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        self._wakers.add(ready)
        loop.add_reader(fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(fd)
            self._wakers.discard(ready)

    async def _drain(self, fd: int, stream: Stream) -> bool:
        """Pass on what is there now; say whether more may come."""
        thrown_away = 0
        while thrown_away < _MOST_THROWN_AWAY:
            try:
                data = os.read(fd, MAX_CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            passed = data[: self.take(len(data))]
            if passed:
                await self.pass_on(OutputChunk(stream, passed), len(passed))
            else:
                thrown_away += len(data)
                await asyncio.sleep(0)
        return True
