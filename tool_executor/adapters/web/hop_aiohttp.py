"""One request with aiohttp, to where it may go and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext

import aiohttp
from yarl import URL

from shared.net.lookup import AddressRule, Lookup
from shared.net.session_aiohttp import AddressRefusedError, session_for_one
from tool_executor.adapters.web.address import refused
from tool_executor.adapters.web.body import ACCEPTED_PACKING, read_body
from tool_executor.domain.web_exchange import WebAddress, WebAnswer, WebFailure, WebFault, WebRequest

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOLLOWING = frozenset({"GET", "HEAD"})
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Reachable:
    """Whom to trust, which addresses to connect to, and how they are found."""

    trusted: SSLContext
    allows: AddressRule
    lookup: Lookup


async def hop(address: WebAddress, request: WebRequest, reachable: Reachable) -> WebAnswer | str:
    """Return the answer of `address`, or where it leads on to. The caller holds it to its time.

    Args:
        address: is asked, whatever the request's own one.
        request: what to ask for, with all headers.
        reachable: where connections may go.

    Raises:
        WebFailure: when there is no answer to be had.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S)
    try:
        async with (
            session_for_one(reachable.trusted, timeout, reachable.allows, reachable.lookup) as session,
            session.request(
                request.method,
                URL(address.url, encoded=True),
                headers={**request.headers, "Accept-Encoding": ACCEPTED_PACKING},
                data=request.body or None,
                skip_auto_headers=("Content-Type",),
                allow_redirects=False,
            ) as response,
        ):
            onward = response.headers.get("Location", "")
            if onward and response.status in _REDIRECTS and request.max_redirects and request.method in _FOLLOWING:
                return onward
            return await _answer(response, address, request)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _failure(error, address.host) from error


async def _answer(response: aiohttp.ClientResponse, address: WebAddress, request: WebRequest) -> WebAnswer:
    media_type, charset = _told_type(response)
    body, cut = b"", False
    wanted = not request.media_types or 200 <= response.status < 300
    if wanted and request.media_types and media_type and media_type not in request.media_types:
        raise WebFailure(WebFault.TYPE, f"What {address.host} sends is {media_type[:100]}, which cannot be read here.")
    if wanted and request.method != "HEAD":
        body, cut = await read_body(response, request.max_bytes, address.host, cuts=request.cuts)
    headers = tuple((name, _clean(value)) for name, value in response.headers.items())
    return WebAnswer(address.url, response.status, headers, media_type, charset, body, cut)


def _told_type(response: aiohttp.ClientResponse) -> tuple[str, str]:
    """Return the media type and the charset that a server tells, however it writes them."""
    media_type, _, parameters = _clean(response.headers.get("Content-Type", "")).lower().partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return media_type.strip(), value.strip().strip("\"'")
    return media_type.strip(), ""


def _clean(value: str) -> str:
    """Return a header's value as text that can be told on; bytes that are no UTF-8 are replaced."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _failure(error: Exception, host: str) -> WebFailure:
    """Return what `error` means, with no more of the address than `host`."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, AddressRefusedError):
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    if cause is not None:
        return refused(
            f"{host} is, or leads to, an address of a private network or of nobody; nothing is fetched there."
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return WebFailure(WebFault.FAILED, f"The certificate of {host} is not to be trusted.")
    if isinstance(error, TimeoutError):
        return WebFailure(WebFault.TIMEOUT, f"{host} cannot be reached in time.")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return WebFailure(WebFault.FAILED, f"There is no host called {host}, or its name cannot be looked up now.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return WebFailure(WebFault.FAILED, f"{host} cannot be reached.")
    return WebFailure(WebFault.FAILED, f"{host} does not answer as a web server does.")
