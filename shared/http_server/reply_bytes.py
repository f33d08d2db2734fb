"""Writes the bytes of a reply."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

Headers = Sequence[tuple[str, str]]

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OWN = frozenset(("connection", "content-length", "date", "transfer-encoding"))
_KNOWN_CAP = 1024
# Names that were found right; handlers use the same few again and again.
_known: set[str] = set()


def date_line() -> str:
    """The header with the date, which is now."""
    return f"Date: {formatdate(time.time(), usegmt=True)}\r\n"


def head(status: int, headers: Headers, own: str) -> bytes:
    """The head of a reply, up to the empty line; `own` are the server's headers, each with its end of line.

    Raises:
        ValueError: a header that could end the head, or that the server itself writes.
    """
    for name, _ in headers:
        if name not in _known:
            _check_name(name)
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    count = len(headers)
    if text.count("\n") != count or text.count("\r") != count or "\0" in text:
        raise ValueError("a header of a reply has CR, LF or NUL")
    line = _LINES.get(status) or f"HTTP/1.1 {status} \r\n"
    return f"{line}{own}{text}\r\n".encode("latin-1")


def chunk(piece: bytes) -> bytes:
    """A piece of a chunked reply; `piece` is not empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def is_bodiless(status: int) -> bool:
    """Whether a reply of `status` never has a body."""
    return status in {204, 304}


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.lower() in _OWN:
        raise ValueError(f"a handler cannot send the header {name[:64]!r}")
    if len(_known) < _KNOWN_CAP:
        _known.add(name)
