"""Reads the head of a request to the proxy; RFC 9110 and 9112, as strictly as they let a proxy be."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox_service.domain.egress import target_of

END = b"\r\n\r\n"
MAX_HEAD_BYTES = 16 << 10
_MAX_FIELDS = 100
_MAX_BODY_DIGITS = 15
_HTTP_PORT = 80
_REQUEST = re.compile(rb"([A-Z]{3,16}) ([\x21-\x7e]+) HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_ABSOLUTE = re.compile(r"http://([^/?#]+)((?:[/?][^#]*)?)", re.IGNORECASE)
_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
# What is meant for this proxy alone, or is said anew.
_DROPPED = frozenset((b"connection", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"))

_Fields = list[tuple[bytes, bytes]]


class RefusedError(Exception):
    """A request that is not passed on.

    Args:
        status: HTTP status to answer with.
        reason: what to count it under, lower_snake_case of a closed set.
        message: a sentence for whoever wrote the program.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A CONNECT: bytes to and from a target."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Forward:
    """A request in plain HTTP.

    Attributes:
        host: whom it is for, as `target_of` gives it.
        port: the port.
        head: its head as the target gets it; the connection ends with the reply.
        body_bytes: how many bytes follow.
    """

    host: str
    port: int
    head: bytes
    body_bytes: int


def request_of(head: bytes) -> Tunnel | Forward:
    """Return what `head`, which ends with an empty line, asks for.

    Raises:
        RefusedError: it is malformed, could be read in two ways, or asks for what the proxy does not do.
    """
    first, *lines = head.removesuffix(END).split(b"\r\n")
    request = _REQUEST.fullmatch(first)
    if request is None or len(lines) > _MAX_FIELDS:
        raise _malformed("the request line is malformed" if request is None else "it has too many header fields")
    method, target = request.groups()
    fields = [_field(line) for line in lines]
    body_bytes = _body_bytes(fields)
    if method == b"CONNECT":
        if body_bytes:
            raise _malformed("CONNECT has no body")
        return Tunnel(*_target(target.decode()))
    if method not in _METHODS:
        raise RefusedError(405, "method", "The proxy passes on the usual methods of HTTP, and CONNECT.")
    return _forward(method, target.decode(), fields, body_bytes)


def _forward(method: bytes, target: str, fields: _Fields, body_bytes: int) -> Forward:
    url = _ABSOLUTE.fullmatch(target)
    if url is None:
        raise _malformed("a target is either http://host/path, or host:port with CONNECT")
    authority, path = url.groups()
    has_port = re.search(r":[0-9]+$", authority) is not None
    host, port = _target(authority if has_port else f"{authority}:{_HTTP_PORT}")
    shown = f"[{host}]" if ":" in host else host
    own = shown if port == _HTTP_PORT else f"{shown}:{port}"
    path = path if path.startswith("/") else f"/{path}"
    lines = [method + b" " + path.encode() + b" HTTP/1.1", b"Host: " + own.encode(), b"Connection: close"]
    listed = {name.strip().lower() for field, value in fields if field == b"connection" for name in value.split(b",")}
    # A length that could be dropped by name would make a second request of the body.
    dropped = (_DROPPED | listed) - {b"content-length"}
    lines += [name + b": " + value for name, value in fields if name not in dropped and not name.startswith(b"proxy-")]
    return Forward(host, port, b"\r\n".join(lines) + END, body_bytes)


def _field(line: bytes) -> tuple[bytes, bytes]:
    """Return name, in lower case, and value of a header field."""
    found = _FIELD.fullmatch(line)
    if found is None:
        raise _malformed("a header field is malformed")
    return found[1].lower(), found[2]


def _body_bytes(fields: _Fields) -> int:
    """Return how long the body is: there is one way to say so, and it may be said once."""
    if any(name == b"transfer-encoding" for name, _ in fields):
        raise RefusedError(411, "body_length", "The proxy passes on bodies with a Content-Length alone, or use HTTPS.")
    lengths = [value for name, value in fields if name == b"content-length"]
    if not lengths:
        return 0
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]+", lengths[0]) or len(lengths[0]) > _MAX_BODY_DIGITS:
        raise _malformed("its Content-Length is malformed")
    return int(lengths[0])


def _target(text: str) -> tuple[str, int]:
    try:
        return target_of(text)
    except ValueError as error:
        raise _malformed(f"its target {error}") from error


def _malformed(what: str) -> RefusedError:
    return RefusedError(400, "malformed", f"The request is refused: {what}.")
