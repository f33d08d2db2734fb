"""Connects to targets: looks a name up once, keeps to the addresses that are anybody's, and goes to one of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

from sandbox_service.adapters.egress.request_head import RefusedError
from sandbox_service.domain.egress import is_address
from shared.net.address_rules import Reach, reach_of

Lookup: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a name; raises OSError."""
Connect: TypeAlias = Callable[[str, int], Awaitable[socket.socket]]
"""Connects to an address; raises OSError."""

_LOOKUP_THREADS = 8
_MAX_ADDRESSES = 4
_TRY_S = 3.0


class EgressDialler:
    """Opens the connections of all programs that are granted egress.

    Args:
        lookup: how names are looked up; by default as the host does it, in threads of its own, so that a name server
            that does not answer keeps nothing else waiting.
        connect: how connections are made.
    """

    def __init__(self, lookup: Lookup | None = None, connect: Connect | None = None) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUP_THREADS, "egress-names")
        self._lookup = lookup or self._look_up
        self._connect = connect or _connected

    async def addresses_of(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of `host`, a name or an address of a grant, that a program may reach; at least one.

        An address is one that the operator wrote, so it may be private; a name leads to public ones alone.

        Raises:
            RefusedError: with the reason `address` or `lookup`.
        """
        try:
            found = [host] if is_address(host) else await self._lookup(host, port)
        except (OSError, UnicodeError) as error:
            raise RefusedError(502, "lookup", f"The name {host} cannot be looked up.") from error
        reaches = {Reach.PUBLIC, Reach.PRIVATE} if is_address(host) else {Reach.PUBLIC}
        addresses = [address for address in found if reach_of(address) in reaches]
        if not addresses:
            raise RefusedError(403, "address", f"{host} is at an address that no program may reach.")
        return addresses[:_MAX_ADDRESSES]

    async def dial(self, addresses: Sequence[str], port: int) -> socket.socket:
        """Return a connection to the first of `addresses` that answers.

        Raises:
            RefusedError: with the reason `unreachable`.
        """
        for address in addresses:
            with suppress(OSError):
                async with asyncio.timeout(_TRY_S):
                    return await self._connect(address, port)
        raise RefusedError(502, "unreachable", f"The target does not answer at port {port}.")

    def close(self) -> None:
        """Let go of the threads. Idempotent."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(address[0]) for *_, address in found]


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made
