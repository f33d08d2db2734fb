"""One request for a calendar with aiohttp, to the public internet and nowhere else.

The connection is made to an address from the very answer that was checked, and each socket's address is checked once
more when it is made, so no second look-up can lead elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
from ssl import SSLContext
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from dashboard_service.domain.address import is_public
from dashboard_service.domain.errors import CalendarAddressRefused, CalendarUnreachable
from dashboard_service.domain.stored_calendar import MAX_ICS_BYTES

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SNIFFED_BYTES = 1024
_HEADERS = {"Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "nexus-dashboard"}


class _PrivateAddress(OSError):
    """The host is, or leads to, an address that is not of the public internet."""


class _PublicResolver(AbstractResolver):
    """Looks hosts up, and refuses those with any address that is not public."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        if not all(is_public(str(address[0])) for *_, address in found):
            raise _PrivateAddress
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


def _public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for the address in `info`; the last check, and the only one for a host that is a number."""
    family, kind, proto, _, address = info
    if not is_public(str(address[0])):
        raise _PrivateAddress
    made = socket.socket(family, kind, proto)
    made.settimeout(0)
    return made


async def hop(address: URL, trusted: SSLContext, timeout_s: float, *, allow_private: bool) -> bytes | str:
    """Return the calendar at `address`, or where it leads on to.

    The connection is its own: nothing is kept, sent or followed that was not asked for.

    Args:
        address: an https address.
        trusted: the certificate authorities to trust.
        timeout_s: seconds that it may take.
        allow_private: whether addresses of private networks will do.

    Raises:
        CalendarAddressRefused: when its host is not one to fetch from.
        CalendarUnreachable: when it does not answer with a calendar.
    """
    host = address.host or ""
    try:
        async with (
            _session(trusted, timeout_s, allow_private=allow_private) as session,
            session.get(address, headers=_HEADERS, allow_redirects=False) as response,
        ):
            if response.status in _REDIRECTS:
                return response.headers.get("Location", "")
            return await _body(response, host)
    except _PrivateAddress as error:
        raise _refused(host) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise CalendarUnreachable(f"The certificate of {host} is not to be trusted.") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _PrivateAddress):
            raise _refused(host) from error
        raise CalendarUnreachable(f"{host} cannot be reached.") from error
    except TimeoutError as error:
        raise CalendarUnreachable(f"{host} did not answer in time.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CalendarUnreachable(f"{host} does not answer as a web server does.") from error


def _session(trusted: SSLContext, timeout_s: float, *, allow_private: bool) -> aiohttp.ClientSession:
    guarded: dict[str, Any] = {}
    if not allow_private:
        guarded = {"resolver": _PublicResolver(), "socket_factory": _public_socket}
    connector = aiohttp.TCPConnector(ssl=trusted, limit=1, force_close=True, use_dns_cache=False, **guarded)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2),
        # A few bytes may unpack to millions: nothing packed is asked for, and nothing is unpacked.
        auto_decompress=False,
        trust_env=False,
    )


async def _body(response: aiohttp.ClientResponse, host: str) -> bytes:
    if response.status != 200:
        raise CalendarUnreachable(f"{host} answers with status {response.status} and no calendar.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise CalendarUnreachable(f"{host} sends a packed file, which was not asked for.")
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_ICS_BYTES:
            raise CalendarUnreachable(f"{host} sends more than {MAX_ICS_BYTES} bytes.")
    if b"BEGIN:VCALENDAR" not in bytes(body[:_SNIFFED_BYTES]).upper():
        raise CalendarUnreachable(f"What {host} sends is no iCalendar file.")
    return bytes(body)


def _refused(host: str) -> CalendarAddressRefused:
    return CalendarAddressRefused(
        f"{host} is, or leads to, an address of a private network, from which no calendar is fetched."
    )
