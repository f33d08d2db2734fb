"""One request for a calendar with aiohttp, to the public internet and nowhere else."""

from __future__ import annotations

from ssl import SSLContext

import aiohttp
from yarl import URL

from dashboard_service.domain.errors import CalendarAddressRefused, CalendarUnreachable
from dashboard_service.domain.stored_calendar import MAX_ICS_BYTES
from shared.net.address_rules import is_public
from shared.net.session_aiohttp import AddressRefusedError, session_for_one

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SNIFFED_BYTES = 1024
_HEADERS = {"Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "nexus-dashboard"}


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
    except AddressRefusedError as error:
        raise _refused(host) from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise CalendarUnreachable(f"The certificate of {host} is not to be trusted.") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, AddressRefusedError):
            raise _refused(host) from error
        raise CalendarUnreachable(f"{host} cannot be reached.") from error
    except TimeoutError as error:
        raise CalendarUnreachable(f"{host} did not answer in time.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CalendarUnreachable(f"{host} does not answer as a web server does.") from error


def _session(trusted: SSLContext, timeout_s: float, *, allow_private: bool) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=timeout_s / 2)
    return session_for_one(trusted, timeout, _anywhere if allow_private else is_public)


def _anywhere(_address: str) -> bool:
    return True


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
