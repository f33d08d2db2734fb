"""Fetches iCalendar files over https from addresses that people chose, and from nowhere that they must not lead to.

Every hop, redirects included, is checked alike: https, no credentials, and a host all of whose addresses are public.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext, create_default_context

from yarl import URL

from dashboard_service.domain.errors import CalendarAddressRefused, CalendarUnreachable
from dashboard_service.ports.calendar_feed import Feed
from shared.clock import Clock

_MAX_REDIRECTS = 3
_MAX_URL_CHARS = 2048


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """What may be fetched.

    `allow_private` lets addresses lead to private networks too, for calendars inside an intranet and for tests.
    `ca_file` holds further certificate authorities to trust, in PEM.
    """

    allow_private: bool = False
    ca_file: Path | None = None


class HttpsCalendarFeed:
    """Follows an address to its calendar. The HTTP client is loaded when it is first needed: most meshes never do."""

    def __init__(self, clock: Clock, policy: FeedPolicy) -> None:
        self._clock = clock
        self._policy = policy
        self._tls: SSLContext | None = None

    def host_of(self, url: str) -> str:
        """Return the host in `url` for people to see."""
        return _host(_checked(url))

    async def fetch(self, org_id: str, url: str, timeout_s: float) -> Feed:
        """Return the file at `url` within `timeout_s` seconds."""
        del org_id  # The organisation matters to caches only.
        address = _checked(url)
        try:
            async with asyncio.timeout(timeout_s):
                return Feed(await self._followed(address, timeout_s), self._clock.now())
        except TimeoutError as error:
            raise CalendarUnreachable(f"{_host(address)} did not answer in time.") from error

    async def _followed(self, address: URL, timeout_s: float) -> bytes:
        from dashboard_service.adapters.calendar_feed_aiohttp import hop

        for _ in range(_MAX_REDIRECTS + 1):
            landed = await hop(address, self._trusted(), timeout_s, allow_private=self._policy.allow_private)
            if isinstance(landed, bytes):
                return landed
            address = _checked(_joined(address, landed))
        raise CalendarUnreachable(f"{_host(address)} leads on more than {_MAX_REDIRECTS} times.")

    def _trusted(self) -> SSLContext:
        """Return whom to trust; read once, when it is first needed, since that takes 20 ms."""
        if self._tls is None:
            self._tls = create_default_context()
            if self._policy.ca_file:
                self._tls.load_verify_locations(self._policy.ca_file)
        return self._tls


def _checked(url: str) -> URL:
    """Return `url` in parts.

    Raises:
        CalendarAddressRefused: when it is not https, carries credentials or is no address.
    """
    try:
        address = URL(url[:_MAX_URL_CHARS])
        host = address.host
    except ValueError as error:
        raise CalendarAddressRefused("The calendar's address is no URL.") from error
    if address.scheme != "https" or not host:
        raise CalendarAddressRefused("The calendar's address must begin with https://.")
    if address.user is not None or address.password is not None:
        raise CalendarAddressRefused(
            "The calendar's address must not carry a user name or password; use an address with a secret path."
        )
    return address


def _joined(address: URL, target: str) -> str:
    try:
        return str(address.join(URL(target)))
    except ValueError as error:
        raise CalendarUnreachable(f"{_host(address)} leads on to no address.") from error


def _host(address: URL) -> str:
    return address.host or ""
