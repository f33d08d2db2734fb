"""What a handler is given: a request, and the reply to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias


class Request(Protocol):
    """A request of which the head came.

    Attributes:
        method: Upper case.
        path: Percent-decoded once, without the query; begins with `/`.
        query: Raw, without `?`; empty for none.
        headers: By lower-case name; values without white space around them. A header that may stand only once and came
            twice is refused before this is made.
        peer: Address of the client, for the log.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    peer: str

    async def body(self, most_bytes: int) -> bytes:
        """Returns the whole body; at once where it came with the head. Asked once, by one task.

        No more of a large body than a first read is in memory before. Whoever replies without asking for it ends the
        connection by that, unless the body is there already.

        Raises:
            InvalidInput: BODY_TOO_LARGE, BODY_TOO_SLOW, REQUEST_MALFORMED. The connection ends after the reply.
            QuotaExceeded: BODIES_TOO_LARGE: the server holds too much of bodies. Likewise.
        """
        ...


class Reply(Protocol):
    """The reply to one request. Each is sent once: whole by `send`, or piece by piece by `begin`, `write`, `end`.

    The server adds the date, what frames the body, and what is to be said of the connection: handlers send no such
    headers. Where a header has CR, LF, NUL, or a character outside of Latin-1, or is one of these, `send` and `begin`
    raise ValueError, and nothing is sent. In a wrong order they raise RuntimeError. Pieces for a client that left are
    dropped.
    """

    @property
    def has_begun(self) -> bool:
        """Whether its head is sent: its status cannot change any more."""
        ...

    @property
    def is_dismissed(self) -> bool:
        """Whether the server stops, and has cancelled the handler for that: the client is there, and can be told."""
        ...

    def send(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Sends the whole reply in one write."""
        ...

    def begin(self, status: int, headers: Sequence[tuple[str, str]], first: bytes = b"") -> None:
        """Sends the head of a chunked reply, with the first piece where there is one."""
        ...

    def write(self, piece: bytes) -> None:
        """Sends a piece; nothing for an empty one. Never blocks: see `drained`."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether the client reads more slowly than is written; then await `drained` before the next piece."""
        ...

    async def drained(self) -> None:
        """Waits until the client has read; awaited by one task. A client that reads nothing for too long is cut off."""
        ...

    def end(self, last: bytes = b"") -> None:
        """Sends the last piece, where there is one, and the end."""
        ...

    def abort(self) -> None:
        """Cuts the connection, so that nobody takes what was sent for the whole. Nothing after the end."""
        ...


Handler: TypeAlias = Callable[[Request, Reply], Awaitable[None]]
"""Handles one request, in a task of its own. It must not raise.

The task is cancelled as soon as the client leaves: a connection that broke, or of which the client closed its side (one
that only half closes it counts as gone). Not so when the reply has ended: what is left to do then is done in any case,
and the next request does not wait for it.

It is cancelled, too, when the server stops and has waited long enough: then it may end the reply before it passes the
cancellation on, and has a second for that (`Reply.is_dismissed`).
"""
