"""Shows that a stream is alive while nothing is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.http_server.exchange import Reply

EVERY_S = 15.0


class Heartbeat:
    """Writes something after each `every_s` seconds of silence: one timer for a stream, and no work for a piece of it.

    Args:
        reply: Of which the head is sent.
        beat: Gives what to write; empty for nothing.
        every_s: Seconds.

    Attributes:
        heard_s: When something was written last, in the loop's time. Whoever writes notes it.
    """

    __slots__ = ("_beat", "_every_s", "_loop", "_reply", "_timer", "heard_s")

    def __init__(self, reply: Reply, beat: Callable[[], bytes], every_s: float = EVERY_S) -> None:
        self._reply = reply
        self._beat = beat
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self.heard_s = self._loop.time()
        self._timer = self._loop.call_later(every_s, self._look)

    def stop(self) -> None:
        """Writes no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if now - self.heard_s >= self._every_s:
            self.heard_s = now
            # Who does not read what was said needs no more of it.
            if not self._reply.is_behind:
                self._reply.write(self._beat())
        self._timer = self._loop.call_at(self.heard_s + self._every_s, self._look)
