"""Notices at once that a client left whose bytes are not being read."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

_LEFT = select.EPOLLRDHUP


class Departures:
    """Watches sockets that are not read, for their peers' end of the connection and nothing else.

    A transport that is paused does not see the end: it is behind bytes that nobody reads. The kernel knows it, so
    these sockets are in an epoll set of their own, which the event loop watches.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._look)

    def watch(self, descriptor: int, left: Callable[[], None]) -> None:
        """Calls `left` once, when the peer of the socket closes its side or the connection breaks."""
        self._watched[descriptor] = left
        self._epoll.register(descriptor, _LEFT)

    def forget(self, descriptor: int) -> None:
        """Watches it no more; before it is closed. Idempotent."""
        if self._watched.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Watches nothing any more."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._watched.clear()

    def _look(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            left = self._watched.get(descriptor)
            self.forget(descriptor)
            if left is not None:
                left()
