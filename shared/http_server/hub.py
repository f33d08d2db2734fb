"""What the connections of one server share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

from shared.errors import NexusError
from shared.http_server.departures import Departures
from shared.http_server.exchange import Handler
from shared.http_server.limits import Limits
from shared.http_server.metrics import CUT, REFUSALS
from shared.http_server.reply import HttpReply
from shared.http_server.reply_bytes import Headers, date_line, head
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
Refuse: TypeAlias = Callable[[NexusError], tuple[int, Headers, bytes]]
"""Shapes an error that the server itself answers: status, headers, body. Must not raise."""


class Registered(Protocol):
    """A connection, as its server knows it."""

    @property
    def moved_at(self) -> float:
        """When the client was last seen to take some of what waits for it, in the loop's time."""
        ...

    def check(self, now: float) -> int:
        """Looks at its times; `now` is the loop's. Returns the bytes that wait for the client, if it is not cut."""
        ...

    def retire(self) -> None:
        """Has it close as soon as it handles no request."""
        ...

    def dismiss(self) -> None:
        """Cancels the handler of its request, which may still end the reply; without one it is cut."""
        ...

    def cut(self) -> None:
        """Closes it at once."""
        ...


class Hub:
    """What the connections of one server share.

    Attributes:
        own_headers: What the server itself says in each reply: the date, at most a second old.
        held_bytes: Of request bodies, over all connections.
        is_stopping: Whether each connection is to close after its request.
        connections: All that are open.
        at_work: The tasks of handlers by their replies. One may have more to do after the reply is whole.
        emptied: Set when the last of both is gone.
    """

    def __init__(self, handler: Handler, limits: Limits, refuse: Refuse) -> None:
        self.handler = handler
        self.limits = limits
        self.own_headers = date_line()
        self.departures = Departures()
        self.loop = asyncio.get_running_loop()
        self.held_bytes = 0
        self.is_stopping = False
        self.connections: set[Registered] = set()
        self.at_work: dict[HttpReply, asyncio.Task[None]] = {}
        self._open_count = 0
        self.emptied = asyncio.Event()
        self._refuse = refuse
        self._peers: dict[str, int] = {}

    def enter(self, connection: Registered, peer: str) -> bool:
        """Registers an open connection. False where there are too many: it is to end, and `leave` is not for it."""
        self.connections.add(connection)
        here = self._peers.get(peer, 0)
        most = self.limits.connections_per_peer
        if self._open_count >= self.limits.connections or 0 < most <= here:
            return False
        self._open_count += 1
        self._peers[peer] = here + 1
        return True

    def leave(self, peer: str) -> None:
        """A connection from `peer` is closed."""
        self._open_count -= 1
        left = self._peers[peer] - 1
        if left:
            self._peers[peer] = left
        else:
            del self._peers[peer]

    def forget(self, connection: Registered) -> None:
        """It is closed."""
        self.connections.discard(connection)
        if not self.connections and not self.at_work:
            self.emptied.set()

    def finished(self, reply: HttpReply) -> None:
        """The handler of `reply` is done."""
        del self.at_work[reply]
        if not self.connections and not self.at_work:
            self.emptied.set()

    def refused(self, error: NexusError) -> bytes:
        """The whole reply to a request that the server itself refuses, after which the connection ends."""
        REFUSALS.labels(error.reason).inc()
        try:
            status, headers, body = self._refuse(error)
        except Exception:  # noqa: BLE001 - the peer must get its end whatever is wrong with the words
            _log.exception("http_refusal_failed")
            status, headers, body = 500, (), b""
        own = f"{self.own_headers}Content-Length: {len(body)}\r\nConnection: close\r\n"
        return head(status, headers, own) + body

    def tick(self) -> None:
        """Looks at the times of all connections, and at what waits for their clients.

        Where that is too much, those are cut that have taken nothing for longest.
        """
        now = self.loop.time()
        self.own_headers = date_line()
        unread = {connection: size for connection in tuple(self.connections) if (size := connection.check(now))}
        excess = sum(unread.values()) - self.limits.unread_bytes
        if excess <= 0:
            return
        for connection in sorted(unread, key=lambda each: each.moved_at):
            CUT.inc()
            connection.cut()
            excess -= unread[connection]
            if excess <= 0:
                return
