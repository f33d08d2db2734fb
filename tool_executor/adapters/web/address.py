"""Reads URLs that somebody else wrote, once: what is read here is what is connected to.

Whatever two programs could read differently is refused rather than understood.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

from tool_executor.domain.web_exchange import WebAddress, WebFailure, WebFault

_MAX_CHARS = 2_048
_MAX_HOST_CHARS = 253
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def refused(message: str) -> WebFailure:
    """Return the failure of an address that is not fetched from."""
    return WebFailure(WebFault.REFUSED, message)


def address_of(url: str) -> WebAddress:
    """Return the address in `url`, which must be absolute. International names are encoded (IDNA 2008, UTS 46).

    Raises:
        WebFailure: REFUSED when it is none, is not http or https, carries credentials, or can be read in two ways.
    """
    if len(url) > _MAX_CHARS:
        raise refused(f"The address has more than {_MAX_CHARS} characters.")
    authority = _AUTHORITY.match(url)
    if authority is None:
        raise refused("The address must begin with http:// or https://.")
    if _AMBIGUOUS.search(url):
        raise refused("The address has spaces, control characters or backslashes in it; encode them with %.")
    if "@" in authority[1] or "%" in authority[1]:
        raise refused("The address must not carry a user name, a password or % in its host.")
    try:
        read = URL(url).with_fragment(None)
        host = _host(read.raw_host or "", bracketed="[" in authority[1])
        if host != read.raw_host:
            read = read.with_host(host)
        port = read.port
    except ValueError as error:
        raise refused("The address is no URL, or its host is none.") from error
    if not port:
        raise refused("The address has a port that is none.")
    return WebAddress(read.scheme, host, port, str(read))


def joined(address: WebAddress, target: str) -> WebAddress:
    """Return where `address` leads on to by the redirect `target`.

    Raises:
        WebFailure: REFUSED as above, and when it leads from https to http.
    """
    if "\\" in target:
        raise refused(f"{address.host} leads on to an address with backslashes in it.")
    try:
        onward = str(URL(address.url, encoded=True).join(URL(target[: _MAX_CHARS + 1])))
    except ValueError as error:
        raise refused(f"{address.host} leads on to what is no URL.") from error
    landed = address_of(onward)
    if address.scheme == "https" and landed.scheme == "http":
        raise refused(f"{address.host} leads on from https to http, which is not followed.")
    return landed


def _host(raw: str, *, bracketed: bool) -> str:
    """Return the host in its one form.

    Raises:
        ValueError: when it is none, or an address in a form that some read otherwise: `127.1`, `0x7f000001`.
    """
    if bracketed:
        return str(IPv6Address(raw))
    host = raw.removesuffix(".")
    if len(host) > _MAX_HOST_CHARS or not _NAME.fullmatch(host):
        raise ValueError(host)
    if host.rpartition(".")[2][0].isdigit():
        return str(IPv4Address(host))
    return host
