"""The reply to one request, as its handler sends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shared.http_server.reply_bytes import LAST_CHUNK, chunk, head, is_bodiless

# A body up to this is copied behind its head: cheaper than a write of two pieces.
_COPIED_BYTES = 64 * 1024


class Line(Protocol):
    """The connection under a reply."""

    @property
    def is_behind(self) -> bool:
        """See Reply."""
        ...

    def own_headers(self) -> str:
        """What the server itself says in the head: the date, and that the connection ends where it will."""
        ...

    def write(self, data: bytes) -> None:
        """Sends bytes; nothing where the client left."""
        ...

    async def drained(self) -> None:
        """See Reply."""
        ...

    def ended(self) -> None:
        """The reply is whole: the next request may come."""
        ...

    def cut(self) -> None:
        """Closes the connection at once."""
        ...


class HttpReply:
    """The reply to one request. Implements `exchange.Reply`.

    Attributes:
        has_begun: See Reply.
        has_ended: Whether all of it is sent, or it was given up.
        is_dismissed: See Reply.
        is_started: Whether its handler is at work.
    """

    __slots__ = ("_is_chunked", "_is_mute", "_is_old", "_line", "has_begun", "has_ended", "is_dismissed", "is_started")

    def __init__(self, line: Line, method: str, *, is_old: bool) -> None:
        self._line = line
        self._is_mute = method == "HEAD"
        self._is_old = is_old
        self._is_chunked = False
        self.has_begun = False
        self.has_ended = False
        self.is_dismissed = False
        self.is_started = False

    def send(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """See Reply."""
        bodiless = is_bodiless(status)
        data = self._head(status, headers, "" if bodiless else f"Content-Length: {len(body)}\r\n")
        self.has_ended = True
        if not body or bodiless or self._is_mute:
            self._line.write(data)
        elif len(body) <= _COPIED_BYTES:
            self._line.write(data + body)
        else:
            self._line.write(data)
            self._line.write(body)
        self._line.ended()

    def begin(self, status: int, headers: Sequence[tuple[str, str]], first: bytes = b"") -> None:
        """See Reply."""
        self._is_mute = self._is_mute or is_bodiless(status)
        is_chunked = not self._is_old and not is_bodiless(status)
        data = self._head(status, headers, "Transfer-Encoding: chunked\r\n" if is_chunked else "")
        self._is_chunked = is_chunked
        if first and not self._is_mute:
            data += chunk(first) if is_chunked else first
        self._line.write(data)

    def write(self, piece: bytes) -> None:
        """See Reply."""
        if not self.has_begun or self.has_ended:
            raise RuntimeError("a piece can be sent between the begin and the end of a reply only")
        if piece and not self._is_mute:
            self._line.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._is_chunked else piece)

    @property
    def is_behind(self) -> bool:
        """See Reply."""
        return self._line.is_behind

    async def drained(self) -> None:
        """See Reply."""
        await self._line.drained()

    def end(self, last: bytes = b"") -> None:
        """See Reply."""
        if not self.has_begun or self.has_ended:
            raise RuntimeError("a reply ends once, after it began")
        self.has_ended = True
        if self._is_chunked and not self._is_mute:
            self._line.write(chunk(last) + LAST_CHUNK if last else LAST_CHUNK)
        elif last and not self._is_mute:
            self._line.write(last)
        self._line.ended()

    def abort(self) -> None:
        """See Reply."""
        if not self.has_ended:
            self.has_begun = self.has_ended = True
            self._line.cut()

    def _head(self, status: int, headers: Sequence[tuple[str, str]], framing: str) -> bytes:
        if self.has_begun:
            raise RuntimeError("a reply begins once")
        data = head(status, headers, self._line.own_headers() + framing)
        self.has_begun = True
        return data
