"""An HTTP/1.1 server: sockets, connections, and an orderly end."""

from __future__ import annotations

import asyncio
import errno
import socket

from shared.errors import PreconditionFailed
from shared.http_server.connection import Connection
from shared.http_server.exchange import Handler
from shared.http_server.hub import Hub, Refuse
from shared.http_server.limits import Limits

_BACKLOG = 2048
# That handlers get, once they are cancelled, to tell their clients, and then to tidy up.
_TIDY_S = 1.0
# Peers that vanished without a word are found out by the kernel: idle ones by these, others after twice `stall_s`.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


class HttpServer:
    """Serves HTTP/1.1 on the running event loop.

    Args:
        handler: Handles each request in a task of its own.
        limits: What peers may ask.
        refuse: Shapes what the server itself answers.
    """

    def __init__(self, handler: Handler, limits: Limits, refuse: Refuse) -> None:
        self._handler = handler
        self._limits = limits
        self._refuse = refuse
        self._hub: Hub | None = None
        self._servers: list[asyncio.Server] = []
        self._address = ("", 0)
        self._sweeping: asyncio.TimerHandle | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first socket; the port is the real one where 0 was asked for."""
        return self._address

    async def start(self, at: tuple[str, int] | list[socket.socket], *, reuse_port: bool = False) -> None:
        """Listens on an address, or on sockets that are bound.

        Args:
            at: Host and port, or sockets.
            reuse_port: Whether other processes of this user may listen there as well, if they say so too.

        Raises:
            PreconditionFailed: ADDRESS_TAKEN.
        """
        sockets = [_bind(at[0], at[1], reuse_port=reuse_port)] if isinstance(at, tuple) else at
        hub = self._hub = Hub(self._handler, self._limits, self._refuse)
        for bound in sockets:
            _prepare(bound, self._limits)
            self._servers.append(
                await hub.loop.create_server(lambda: Connection(hub), sock=bound, backlog=_BACKLOG),
            )
        self._address = sockets[0].getsockname()[:2]
        self._sweep(hub)

    async def stop(self, drain_s: float) -> None:
        """Accepts no more, lets requests end for at most `drain_s`, then dismisses and cuts what is left. Idempotent.

        The handlers that are not done by then are cancelled, and have a moment to end their replies, see
        `exchange.Reply.is_dismissed`.
        """
        hub, self._hub = self._hub, None
        if hub is None:
            return
        for server in self._servers:
            server.close()
        hub.is_stopping = True
        for connection in tuple(hub.connections):
            connection.retire()
        await _emptied(hub, drain_s)
        for connection in tuple(hub.connections):
            connection.dismiss()
        await _emptied(hub, _TIDY_S)
        for connection in tuple(hub.connections):
            connection.cut()
        await _emptied(hub, _TIDY_S)
        for task in tuple(hub.at_work.values()):
            task.cancel()
        if self._sweeping is not None:
            self._sweeping.cancel()
        hub.departures.close()

    def _sweep(self, hub: Hub) -> None:
        self._sweeping = hub.loop.call_later(self._limits.tick_s, self._sweep, hub)
        hub.tick()


async def _emptied(hub: Hub, most_s: float) -> None:
    if hub.connections or hub.at_work:
        hub.emptied.clear()
        try:
            await asyncio.wait_for(hub.emptied.wait(), most_s)
        except TimeoutError:
            return


def _bind(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise _taken(host, port) from error
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        if error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
            raise _taken(host, port) from error
        raise
    return bound


def _taken(host: str, port: int) -> PreconditionFailed:
    return PreconditionFailed(
        "ADDRESS_TAKEN", f"{host}:{port} cannot be bound: another process listens there, or it is not local."
    )


def _prepare(bound: socket.socket, limits: Limits) -> None:
    """Sets what accepted sockets inherit."""
    bound.setblocking(False)  # noqa: FBT003 - the standard library's
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        bound.setsockopt(socket.IPPROTO_TCP, option, value)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(limits.stall_s * 2000))
    # The kernel would take megabytes for a client that reads nothing, and nobody could say how many.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.behind_bytes)
