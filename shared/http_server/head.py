"""Reads the head of a request, strictly: whatever two programs might read differently is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import httptools

from shared.errors import NexusError
from shared.http_server.limits import Limits
from shared.http_server.refusals import Refusal, refusal

CHUNKED = -1
"""The length of a body that comes in chunks."""

_VERSIONS = frozenset(("HTTP/1.1", "HTTP/1.0"))
_ONCE = frozenset(
    ("host", "content-length", "transfer-encoding", "content-type", "authorization", "x-api-key", "expect")
)
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
# Names as they are often written: found rather than made anew, they take no memory while a request is handled.
_NAMES: Mapping[str, str] = {
    spelt: name
    for name in (
        "host", "content-length", "content-type", "authorization", "x-api-key", "accept", "accept-encoding",
        "accept-language", "connection", "user-agent", "anthropic-version", "anthropic-beta", "traceparent",
        "x-request-id", "x-forwarded-for", "x-stainless-lang", "x-stainless-package-version", "x-stainless-os",
        "x-stainless-arch", "x-stainless-runtime", "x-stainless-runtime-version", "x-stainless-async",
        "x-stainless-retry-count", "x-stainless-read-timeout", "x-stainless-timeout",
    )
    for spelt in (name, name.title(), name.replace("x-stainless", "X-Stainless"), name.title().replace("-Os", "-OS"))
}  # fmt: skip


class Head:
    """What the head of a request says.

    httptools (llhttp, strict) checks the grammar: it refuses bare and folded line ends, white space and characters
    that do not belong, and lengths that are none. What it lets pass and another program might read differently is
    refused here. It is given heads only: where a request ends is for `body.py` alone to say.

    Attributes:
        method: Upper case.
        path: Percent-decoded once.
        query: Raw.
        headers: By lower-case name. The values of one that came several times are joined by commas.
        length: Of the body in bytes; CHUNKED where it tells its end itself.
        is_old: Whether it is HTTP/1.0, which knows no chunks.
        is_last: Whether the client wants to send no further request.
        expects: Whether the client waits for a word before it sends the body.
    """

    __slots__ = ("_is_whole", "expects", "headers", "is_last", "is_old", "length", "method", "path", "query")

    # Looked for by the parser, and slow to look for in vain.
    on_body = on_chunk_complete = on_chunk_header = on_header = on_message_begin = on_message_complete = None
    on_status = on_url = None

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Reads `data`, which ends with the first empty line.

        Raises:
            NexusError: a refusal.
        """
        self._is_whole = False
        try:
            httptools.HttpRequestParser(self).feed_data(data)
        except httptools.HttpParserUpgrade:
            # An offer to go on in another protocol, which is passed over.
            pass
        except httptools.HttpParserError:
            raise _malformed("not HTTP") from None
        if not self._is_whole:
            raise _malformed("not HTTP")
        lines = data.decode("latin-1").split("\r\n")
        # Without the request line, the empty line, and what is behind it: nothing.
        if len(lines) - 3 > limits.headers:
            raise refusal(Refusal.HEAD_TOO_LARGE, "too many headers")
        self._read_line(lines[0], limits)
        self.headers: Mapping[str, str] = _headers(lines)
        self._read_headers()

    def on_headers_complete(self) -> None:
        """The parser found the empty line."""
        self._is_whole = True

    def _read_line(self, line: str, limits: Limits) -> None:
        method, _, rest = line.partition(" ")
        target, _, version = rest.partition(" ")
        if version not in _VERSIONS:
            raise _malformed("not HTTP/1.1")
        if len(target) > limits.target_bytes:
            raise refusal(Refusal.TARGET_TOO_LONG)
        if target[:1] != "/" or "#" in target or method == "CONNECT":
            raise _malformed("the target must be a path")
        self.method = method
        self.is_old = version == "HTTP/1.0"
        path, self.query = target, ""
        if "?" in target:
            path, _, self.query = target.partition("?")
        self.path = _unescaped(path) if "%" in path else path

    def _read_headers(self) -> None:
        headers, is_old = self.headers, self.is_old
        host = headers.get("host")
        if not _is_host(host) if host else not is_old:
            raise _malformed("it must name its host")
        connection = headers.get("connection")
        self.is_last = is_old or (connection is not None and "close" in connection.lower())
        self.expects = "expect" in headers and not is_old and headers["expect"].lower() == "100-continue"
        length = headers.get("content-length")
        if "transfer-encoding" in headers:
            if length is not None or is_old or headers["transfer-encoding"].lower() != "chunked":
                raise _malformed("the length of its body is unclear")
            self.length = CHUNKED
        else:
            self.length = int(length) if length else 0


@lru_cache(maxsize=64)
def _is_host(host: str) -> bool:
    """Whether `host` is one; clients say the same few again and again."""
    return _HOST.fullmatch(host) is not None


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    known = _NAMES
    for line in lines[1:-2]:
        written, _, value = line.partition(":")
        name = known.get(written) or written.lower()
        value = value.strip(" \t")
        if name in headers:
            if name in _ONCE:
                raise _malformed(f"{name} came twice")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _unescaped(path: str) -> str:
    if _BAD_ESCAPE.search(path):
        raise _malformed("the path is not escaped well")
    try:
        text = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise _malformed("the path is not UTF-8") from None
    if _CONTROL.search(text):
        raise _malformed("the path has a control character")
    return text


def _malformed(what: str) -> NexusError:
    return refusal(Refusal.REQUEST_MALFORMED, what)
