"""Makes connections: finds addresses, tries them, and speaks TLS where the address says so."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, TypeAlias

from provider_router.adapters.http.call import HttpFault
from provider_router.adapters.http.connection import Connection
from provider_router.adapters.http.request_heads import Origin
from provider_router.domain.errors import Reason
from shared.net.address_rules import Reach, names_private_place, reach_of

_Address: TypeAlias = tuple[socket.AddressFamily, Any]
_Place: TypeAlias = tuple[str, int]
# The delay of RFC 8305, section 5: before the next address is tried beside one that does not answer.
_HEAD_START_S = 0.25
_RESOLVED_S = 10.0
_RESOLVED_KEPT = 256
# The first that fits: some are kinds of others.
_WHYS: Sequence[tuple[type[Exception], str]] = (
    (socket.gaierror, "its host name cannot be resolved"),
    (ssl.SSLCertVerificationError, "its TLS certificate is not trusted"),
    (ssl.SSLError, "no TLS connection can be made with it"),
    (UnicodeError, "its host name is none"),
    (TimeoutError, "no connection in time"),
    (ConnectionRefusedError, "it refuses connections"),
    (ConnectionError, "the connection was lost"),
)


class Dialler:
    """Opens connections.

    Args:
        connect_s: From the name to the end of TLS's handshake.
        trust: Whom to trust; None for the authorities that the machine trusts.
    """

    def __init__(self, connect_s: float, trust: ssl.SSLContext | None = None) -> None:
        self._connect_s = connect_s
        self._trust = trust
        self._resolved: dict[_Place, tuple[float, Sequence[_Address]]] = {}
        self._lookups: dict[_Place, asyncio.Task[Sequence[_Address]]] = {}

    async def connect(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        """Returns a connection that stands.

        It goes to an address that `origin` may have; that address is the one that was looked at, not the name.

        Raises:
            HttpFault: PROVIDER_UNREACHABLE, with what kept it from coming about.
        """
        try:
            async with asyncio.timeout(self._connect_s):
                reached = await _first_reached(_allowed(await self._addresses(origin), origin))
                _, connection = await asyncio.get_running_loop().create_connection(
                    make,
                    sock=reached,
                    ssl=self._context() if origin.is_tls else None,
                    server_hostname=origin.host if origin.is_tls else None,
                )
        except (OSError, UnicodeError) as error:
            # It may be elsewhere now.
            self._resolved.pop((origin.host, origin.port), None)
            raise HttpFault(Reason.PROVIDER_UNREACHABLE, _why(error)) from error
        return connection

    async def _addresses(self, origin: Origin) -> Sequence[_Address]:
        loop = asyncio.get_running_loop()
        at = (origin.host, origin.port)
        until, known = self._resolved.get(at, (0.0, ()))
        if loop.time() < until:
            return known
        # One at a time for each name: the threads that wait for answers are few, and those of a name that nobody
        # answers for would keep all other names waiting.
        lookup = self._lookups.get(at)
        if lookup is None:
            lookup = self._lookups[at] = loop.create_task(self._looked_up(at))
            lookup.add_done_callback(lambda _: self._lookups.pop(at))
        return await asyncio.shield(lookup)

    async def _looked_up(self, at: _Place) -> Sequence[_Address]:
        loop = asyncio.get_running_loop()
        try:
            # An address, which needs no thread to wait for an answer in.
            found = socket.getaddrinfo(*at, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            found = await loop.getaddrinfo(*at, type=socket.SOCK_STREAM)
        addresses = _by_turns([(family, address) for family, _, _, _, address in found])
        if len(self._resolved) >= _RESOLVED_KEPT:
            self._resolved.clear()
        self._resolved[at] = (loop.time() + _RESOLVED_S, addresses)
        return addresses

    def _context(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = ssl.create_default_context()
            self._trust.minimum_version = ssl.TLSVersion.TLSv1_2
            self._trust.set_alpn_protocols(["http/1.1"])
        return self._trust


def _allowed(addresses: Sequence[_Address], origin: Origin) -> Sequence[_Address]:
    """Those of `addresses` that `origin` may have: private ones only where its operator says that it is private.

    Raises:
        HttpFault: PROVIDER_UNREACHABLE, when there are none.
    """
    reaches = {Reach.PUBLIC, Reach.PRIVATE} if origin.is_private or names_private_place(origin.host) else {Reach.PUBLIC}
    allowed = [each for each in addresses if reach_of(each[1][0]) in reaches]
    if not allowed:
        raise HttpFault(
            Reason.PROVIDER_UNREACHABLE,
            "its name leads to an address that no provider may have, or to a private one without `network: private`",
        )
    return allowed


def _by_turns(addresses: Sequence[_Address]) -> list[_Address]:
    """One family after the other in turn, beginning with that of the first address."""
    first = [each for each in addresses if each[0] == addresses[0][0]]
    others = [each for each in addresses if each[0] != addresses[0][0]]
    return [each for each in chain.from_iterable(zip_longest(first, others)) if each is not None]


async def _first_reached(addresses: Sequence[_Address]) -> socket.socket:
    """A socket that is connected to one of `addresses`, of which the next is tried when one fails or is slow.

    Raises:
        OSError: None of them answers; of the first one.
    """
    if len(addresses) == 1:
        return await _reached(addresses[0])
    tries: list[asyncio.Task[socket.socket]] = []
    winner: socket.socket | None = None
    try:
        for address in addresses:
            tries.append(asyncio.ensure_future(_reached(address)))
            winner = await _winner(tries, _HEAD_START_S)
            if winner is not None:
                return winner
        while winner is None and not all(each.done() for each in tries):
            winner = await _winner(tries, None)
        return winner or tries[0].result()
    finally:
        for each in tries:
            _end(each, winner)


async def _winner(tries: Sequence[asyncio.Task[socket.socket]], wait_s: float | None) -> socket.socket | None:
    """The first socket of those that come within `wait_s`; None when a try fails, or the time is over."""
    pending = [each for each in tries if not each.done()]
    done, _ = await asyncio.wait(pending, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
    return next((each.result() for each in done if each.exception() is None), None)


def _end(attempt: asyncio.Task[socket.socket], winner: socket.socket | None) -> None:
    if not attempt.done():
        attempt.cancel()
    elif not attempt.cancelled() and attempt.exception() is None and attempt.result() is not winner:
        attempt.result().close()


async def _reached(address: _Address) -> socket.socket:
    family, where = address
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)  # noqa: FBT003 - the library's own
        await asyncio.get_running_loop().sock_connect(made, where)
    except BaseException:
        made.close()
        raise
    return made


def _why(error: OSError | UnicodeError) -> str:
    """What kept a connection from coming about, without an address; empty where that is not known."""
    return next((words for kind, words in _WHYS if isinstance(error, kind)), "")
