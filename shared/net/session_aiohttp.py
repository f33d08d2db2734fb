"""HTTP sessions with aiohttp that reach no address but those that a rule allows.

The connection is made to an address from the very answer that was checked, and each socket's address is checked once
more when it is made, so no second look-up can lead elsewhere.
"""

from __future__ import annotations

import socket
from ssl import SSLContext
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.net.lookup import AddressRule, Lookup, looked_up


class AddressRefusedError(OSError):
    """The host is, or leads to, an address that the rule does not allow."""


class _CheckedResolver(AbstractResolver):
    """Looks hosts up, and refuses those with any address that is not allowed."""

    def __init__(self, allows: AddressRule, lookup: Lookup) -> None:
        self._allows = allows
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._lookup(host, port, family)
        if not all(self._allows(str(address[0])) for *_, address in found):
            raise AddressRefusedError
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=family_,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family_, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""


def session_for_one(
    trusted: SSLContext, timeout: aiohttp.ClientTimeout, allows: AddressRule, lookup: Lookup = looked_up
) -> aiohttp.ClientSession:
    """Return a session for one request, to be closed after it.

    It keeps no connection, no cookie and no answer of a name server, takes nothing from the environment (proxies,
    credentials), and unpacks nothing: a few bytes may unpack to millions.

    Args:
        trusted: the certificate authorities to trust.
        timeout: how long the request and its parts may take.
        allows: which addresses it may connect to.
        lookup: how it finds them.
    """

    def checked_socket(info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for the address in `info`; the last check, and the only one for a host that is a number."""
        family, kind, proto, _, address = info
        if not allows(str(address[0])):
            raise AddressRefusedError
        made = socket.socket(family, kind, proto)
        made.settimeout(0)
        return made

    connector = aiohttp.TCPConnector(
        ssl=trusted,
        limit=1,
        force_close=True,
        use_dns_cache=False,
        resolver=_CheckedResolver(allows, lookup),
        socket_factory=checked_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        auto_decompress=False,
        trust_env=False,
    )
