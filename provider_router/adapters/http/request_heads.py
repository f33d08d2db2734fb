"""The first lines of requests: made once for each address and key, and safe to send."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from provider_router.adapters.http.call import HttpCall

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_PORTS = {"http": 80, "https": 443}
# Far more than there are addresses and keys in any configuration; old keys do not pile up.
_KEPT = 512


class Origin(NamedTuple):
    """Where connections go to, and may be shared.

    Attributes:
        host: A name in ASCII or an address, without brackets.
        port: TCP.
        is_tls: Whether it is spoken to over TLS.
        is_private: As in `HttpCall`; who does not say so does not get the connections of who does.
    """

    host: str
    port: int
    is_tls: bool
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request but for its length and its body. Holds the key, and is never shown.

    Attributes:
        origin: Where it goes.
        is_idempotent: Whether it may be sent twice.
        start: Its lines up to the value of Content-Length; all of them for a request without a body.
    """

    origin: Origin
    is_idempotent: bool
    start: bytes = field(repr=False)

    def with_length(self, size_bytes: int) -> bytes:
        """The whole head of a request whose body has that size."""
        return self.start if self.is_idempotent else b"%b%d\r\n\r\n" % (self.start, size_bytes)


class RequestHeads:
    """Makes heads, and keeps those it made."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], RequestHead] = {}

    def of(self, method: str, call: HttpCall, accept: str) -> RequestHead:
        """The head of `call`.

        Args:
            method: `GET`, without a body, or `POST`.
            call: Where to, with which headers.
            accept: The type of answer that is asked for.

        Raises:
            ValueError: A header has a character that would end it, or none may have; or the port is none.
            UnicodeError: The host name is none.
        """
        key = (method, call.url, accept, call.is_private, *call.headers.items())
        head = self._kept.get(key)
        if head is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            head = self._kept[key] = _head(method, call, accept)
        return head


def _head(method: str, call: HttpCall, accept: str) -> RequestHead:
    parts = urlsplit(call.url)
    host = (parts.hostname or "").encode("idna").decode("ascii")
    origin = Origin(host, parts.port or _PORTS[parts.scheme], parts.scheme == "https", call.is_private)
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    headers = {
        "Host": _authority(host, parts.port),
        "User-Agent": "nexus-router",
        "Accept": accept,
        # Compression would hold tokens back until a block is full.
        "Accept-Encoding": "identity",
        **call.headers,
    }
    for name, value in headers.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ValueError("a header has characters that none may have")
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    is_idempotent = method == "GET"
    lines += ["", ""] if is_idempotent else ["Content-Type: application/json", "Content-Length: "]
    return RequestHead(origin, is_idempotent, "\r\n".join(lines).encode("ascii"))


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown
