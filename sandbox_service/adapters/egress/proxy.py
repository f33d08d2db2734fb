"""The proxy of one sandbox: it accepts at the door that the sandbox's maker handed over, and ends with the sandbox."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.egress.exchange import Exchange
from sandbox_service.adapters.egress.relay import Line
from sandbox_service.adapters.egress.traffic import Traffic
from sandbox_service.domain.egress import EgressGrant, EgressLimits, EgressReport
from shared.telemetry.logging import get_logger

_BUFFER_BYTES = 64 << 10
_PAUSE_S = 0.1
_log = get_logger(__name__)


class EgressProxy:
    """Lets one program reach what it was granted, and nothing else.

    Args:
        grant: what it may reach.
        limits: what it may use.
        dialler: what opens connections; shared by all proxies.
    """

    def __init__(self, grant: EgressGrant, limits: EgressLimits, dialler: EgressDialler) -> None:
        self._grant = grant
        self._limits = limits
        self._dialler = dialler
        self._traffic = Traffic(limits)
        self._places = asyncio.Semaphore(limits.connections)
        # One at a time, so that no program takes all the threads that look names up.
        self._looking_up = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._door: asyncio.Task[None] | None = None

    def start(self, door_fd: int) -> None:
        """Accept at `door_fd`, what `doorway.open_listener` made inside; the proxy owns it from here on.

        Raises:
            ValueError: it is no listening TCP socket, and is closed.
        """
        listener = _listener_of(door_fd)
        self._door = asyncio.get_running_loop().create_task(self._serve(listener), name="egress-door")
        self._door.add_done_callback(_look_at)
        self._door.add_done_callback(lambda _: listener.close())

    async def stop(self) -> EgressReport:
        """Cut every connection, and return what was reached. Idempotent."""
        tasks = [task for task in (self._door, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return self._traffic.report()

    async def _serve(self, listener: socket.socket) -> None:
        while True:
            await self._places.acquire()
            self._begin(await _accepted(listener))

    def _begin(self, client: Line) -> None:
        exchange = Exchange(self._grant, self._limits, self._traffic, self._dialler, self._looking_up)
        task = asyncio.get_running_loop().create_task(exchange.run(client), name="egress-exchange")
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._end(ended, client))

    def _end(self, task: asyncio.Task[None], client: Line) -> None:
        client.cut()
        self._tasks.discard(task)
        self._places.release()
        _look_at(task)


def _listener_of(fd: int) -> socket.socket:
    handed = socket.socket(fileno=fd)
    is_tcp = (handed.family, handed.type) == (socket.AF_INET, socket.SOCK_STREAM)
    if not is_tcp or not handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        handed.close()
        raise ValueError("not a listening TCP socket")
    handed.setblocking(False)  # noqa: FBT003 - the library's own
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        handed.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    return handed


async def _accepted(listener: socket.socket) -> Line:
    """Return the next connection; while the service has no descriptor to spare, it waits in the kernel."""
    while True:
        try:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            return await Line.over(client)
        except OSError:
            await asyncio.sleep(_PAUSE_S)


def _look_at(task: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        if (error := task.exception()) is not None:
            _log.error("egress_failed", exc_info=error)
