"""One connection of the load generator: sends a request, checks its answer, tells its owner."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol, cast

import httptools

from benchmarks.gateway.answers import TEXT, Told

_GOOD = b"HTTP/1.1 200"
_TEXT = TEXT.encode()
_CHUNKED = -1


class Owner(Protocol):
    """Who has connections."""

    def answered(self, line: Line, wrong: str) -> None:
        """A line's answer is there; `wrong` says what is wrong with it."""
        ...


class Line(asyncio.Protocol):
    """A connection.

    Attributes:
        began: When its last request was sent, in seconds.
        first: When the first byte of the body came; 0 before.
        pieces: Of the answers that were streamed.
    """

    def __init__(self, owner: Owner, request: bytes, expected: int) -> None:
        self.began = 0.0
        self.first = 0.0
        self.pieces = 0
        self._owner = owner
        self._request = request
        self._expected = expected
        self._transport: asyncio.Transport | None = None
        self._is_asked = False
        self._received = b""
        self._told = Told()
        self._parser = httptools.HttpResponseParser(self)

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent on it."""
        return self._transport is not None

    def ask(self) -> None:
        """Sends the request."""
        assert self._transport is not None  # noqa: S101  a benchmark
        self._is_asked = True
        self.first = 0.0
        self.began = time.perf_counter()
        self._transport.write(self._request)

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that is under way is lost with it."""
        del exc
        self._transport = None
        if self._is_asked:
            self._end("the connection was lost")

    def data_received(self, data: bytes) -> None:
        """Takes part of an answer."""
        if not self._is_asked:
            return
        if self._expected:
            self._parse(data)
            return
        # Whole answers come in one piece nearly always, and are looked at with as little work as can be: the load
        # generator shares the machine with what it measures.
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        self.first = self.first or time.perf_counter()
        length = _length(head)
        if length == _CHUNKED:
            if not body.endswith(b"0\r\n\r\n"):
                return
        elif len(body) < length:
            return
        self._received = b""
        is_right = head.startswith(_GOOD) and _TEXT in body and length in (_CHUNKED, len(body))
        self._end("" if is_right else f"{head!r} {body[:300]!r}")

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"{error} {data[:300]!r}")
            self.close()

    def on_body(self, body: bytes) -> None:
        """Takes part of a streamed answer's body."""
        self.first = self.first or time.perf_counter()
        self._told.add(body)

    def on_message_complete(self) -> None:
        """A streamed answer is over."""
        told, self._told = self._told, Told()
        self.pieces += told.pieces
        status = self._parser.get_status_code()
        is_right = status == 200 and told.is_whole(self._expected)
        self._end("" if is_right else f"status {status}, {told.pieces} of {self._expected} pieces: {told.rest!r}")

    def _end(self, wrong: str) -> None:
        if self._is_asked:
            self._is_asked = False
            self._owner.answered(self, wrong)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at < 0:
        return _CHUNKED if b"chunked" in lower else 0
    return int(lower[at + 15 :].split(b"\r\n", 1)[0])
