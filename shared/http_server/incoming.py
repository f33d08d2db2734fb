"""A request body that is still coming while its request is handled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from shared.errors import NexusError
from shared.http_server.body import Body
from shared.http_server.limits import Limits
from shared.http_server.refusals import Refusal, refusal


class Incoming:
    """A body that is still coming.

    Attributes:
        body: What came of it.
        is_asked: Whether the handler wants it.
    """

    __slots__ = ("_asked_at", "_error", "_limits", "_loop", "_most_bytes", "_news", "_resume", "body", "is_asked")

    def __init__(self, body: Body, limits: Limits, resume: Callable[[], None]) -> None:
        """`resume` is called when the handler asks for it."""
        self.body = body
        self.is_asked = False
        self._limits = limits
        self._resume = resume
        self._loop = asyncio.get_running_loop()
        self._asked_at = 0.0
        self._most_bytes = 0
        self._error: NexusError | None = None
        self._news: asyncio.Future[None] | None = None

    @property
    def wants_more(self) -> bool:
        """Whether more of it is to be taken into memory now."""
        if self._error is not None or self.body.is_whole:
            return False
        return self.is_asked or self.body.size_bytes < self._limits.unasked_bytes

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns the rest. After an error nothing that comes is of use."""
        if self._error is not None:
            return b""
        try:
            rest = self.body.feed(data)
        except NexusError as error:
            self.fail(error)
            return b""
        if self.is_asked and self.body.size_bytes > self._most_bytes:
            self.fail(refusal(Refusal.BODY_TOO_LARGE))
        elif self.body.is_whole:
            self._wake()
        return rest

    def fail(self, error: NexusError) -> None:
        """No more of it is taken; its reader gets `error`."""
        self._error = self._error or error
        self._wake()

    def check(self, now: float) -> None:
        """Fails it where it comes too slowly; `now` is the loop's time."""
        if self._asked_at:
            allowed_s = self._limits.body_grace_s + self.body.size_bytes / self._limits.body_bytes_s
            if now - self._asked_at >= allowed_s:
                self.fail(refusal(Refusal.BODY_TOO_SLOW))

    async def read(self, most_bytes: int) -> bytes:
        """The whole body; see Request.body."""
        body = self.body
        if body.size_bytes > most_bytes:
            self.fail(refusal(Refusal.BODY_TOO_LARGE))
        self._most_bytes = most_bytes
        self.is_asked = True
        self._asked_at = self._loop.time()
        if self.wants_more:
            self._resume()
        try:
            while self._error is None and not body.is_whole:
                self._news = self._loop.create_future()
                await self._news
        finally:
            self._asked_at = 0.0
        if self._error is not None:
            raise self._error
        return body.take()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
