"""The connections to one origin, and who waits for one."""

from __future__ import annotations

import asyncio
from collections import deque

from provider_router.adapters.http.call import HttpFault
from provider_router.adapters.http.connection import Connection
from provider_router.adapters.http.dial import Dialler
from provider_router.adapters.http.request_heads import Origin
from provider_router.domain.errors import Reason


class Pool:
    """Keeps connections between calls, and has no more than so many at once.

    Who finds none waits in a line, first come, first served. The connection that rested last is used first, so that
    those which are not needed grow old and close.

    Args:
        origin: Where to.
        dialler: Makes connections.
        size: Connections at once.
        line: Calls that may wait for one.
    """

    def __init__(self, origin: Origin, dialler: Dialler, size: int, line: int) -> None:
        self._origin = origin
        self._dialler = dialler
        self._size = size
        self._line = line
        self._open: set[Connection] = set()
        self._opening = 0
        self._resting: list[Connection] = []
        self._emptied: asyncio.Event | None = None
        # Each gets a connection, or None for leave to open one.
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss it."""
        return not (self._open or self._opening or self._waiting)

    def rested(self) -> Connection | None:
        """A connection that is there; None when there is none."""
        while self._resting:
            connection = self._resting.pop()
            if connection.is_usable and connection.is_quiet:
                return connection
            connection.close()
        return None

    async def lease(self) -> Connection:
        """A connection that no call is on: one that rested, else a new one, else the first that becomes free.

        Raises:
            HttpFault: PROVIDER_UNREACHABLE, or DEPLOYMENTS_BUSY when too many calls wait already.
        """
        while True:
            connection = None if self._waiting else self.rested()
            if connection is not None:
                return connection
            if not self._waiting and self._has_room():
                self._opening += 1
            else:
                connection = await self._turn()
            if connection is None:
                return await self._opened()
            # It may have been closed since it was given.
            if connection.is_usable:
                return connection

    def drop_rested(self) -> None:
        """Closes the connections that rest: one like them turned out to be closed by the provider."""
        for connection in self._resting:
            connection.close()
        self._resting.clear()

    async def close(self) -> None:
        """Closes all connections, those with calls too, and waits until they are closed."""
        for connection in self._open:
            connection.close()
        if self._open:
            self._emptied = asyncio.Event()
            await self._emptied.wait()

    def rests(self, connection: Connection) -> None:
        """Takes a connection back, and gives it to who waits longest."""
        if not (self._waiting and self._give(connection)):
            self._resting.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forgets a connection. Its place goes to who waits longest."""
        self._open.discard(connection)
        if connection in self._resting:
            self._resting.remove(connection)
        self._offer_place()
        if self._emptied is not None and not self._open:
            self._emptied.set()

    async def _turn(self) -> Connection | None:
        """Waits for a connection; for None, a place is taken for the one to be opened."""
        if len(self._waiting) >= self._line:
            raise HttpFault(Reason.DEPLOYMENTS_BUSY)
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._decline(turn.result())
            elif turn in self._waiting:
                # Else it was passed over since, in the same turn of the loop.
                self._waiting.remove(turn)
            raise

    def _decline(self, offered: Connection | None) -> None:
        """Passes on what came just when its receiver left."""
        if offered is None:
            self._opening -= 1
            self._offer_place()
        elif offered.is_usable:
            self.rests(offered)

    async def _opened(self) -> Connection:
        """Opens a connection in the place that was taken for it."""
        try:
            connection = await self._dialler.connect(self._origin, lambda: Connection(self))
        except BaseException:
            self._opening -= 1
            self._offer_place()
            raise
        self._opening -= 1
        if not connection.is_usable:
            self._offer_place()
            raise HttpFault(Reason.PROVIDER_UNREACHABLE, "the connection was lost")
        self._open.add(connection)
        return connection

    def _has_room(self) -> bool:
        return len(self._open) + self._opening < self._size

    def _offer_place(self) -> None:
        if self._waiting and self._has_room() and self._give(None):
            self._opening += 1

    def _give(self, offered: Connection | None) -> bool:
        """Gives `offered` to who waits longest; returns whether anybody waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(offered)
                return True
        return False
