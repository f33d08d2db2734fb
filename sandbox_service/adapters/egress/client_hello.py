"""Finds the name that a TLS client asks for, in the first bytes that it sends; RFC 8446, 4.1.2 and RFC 6066, 3."""

from __future__ import annotations

HANDSHAKE = 22
MAX_HELLO_BYTES = 16 << 10
_RECORD_HEAD = 5
_HANDSHAKE_HEAD = 4
_CLIENT_HELLO = 1
_VERSION_AND_RANDOM = 34
_SERVER_NAME = 0
_LIST_AND_KIND = 3
_MAX_RECORDS = 8


class IncompleteError(Exception):
    """More bytes are needed to tell."""


def server_name_of(sent: bytes) -> str:
    """Return the name in lower case, without a dot at its end; empty when none is asked for.

    Raises:
        IncompleteError: more bytes are needed.
        ValueError: `sent` does not begin with a ClientHello of at most MAX_HELLO_BYTES.
    """
    hello = _Cut(_first_message(sent))
    hello.take(_VERSION_AND_RANDOM)
    hello.sized(1)  # session id
    hello.sized(2)  # cipher suites
    hello.sized(1)  # compression methods
    if not hello:
        return ""
    extensions = _Cut(hello.sized(2))
    while extensions:
        kind = extensions.number(2)
        body = extensions.sized(2)
        if kind == _SERVER_NAME:
            names = _Cut(body)
            names.take(_LIST_AND_KIND)
            return names.sized(2).decode("ascii").lower().removesuffix(".")
    return ""


def _first_message(sent: bytes) -> bytes:
    """Return the body of the first handshake message, which may come in several records."""
    message = b""
    for _ in range(_MAX_RECORDS):
        if sent[:1] not in {b"", bytes((HANDSHAKE,))}:
            raise ValueError("not a handshake record")
        size = int.from_bytes(sent[3:_RECORD_HEAD], "big")
        if len(sent) < _RECORD_HEAD + size or len(sent) < _RECORD_HEAD:
            raise IncompleteError
        if size == 0:
            raise ValueError("an empty record")
        message += sent[_RECORD_HEAD : _RECORD_HEAD + size]
        sent = sent[_RECORD_HEAD + size :]
        if message[0] != _CLIENT_HELLO:
            raise ValueError("not a ClientHello")
        if len(message) < _HANDSHAKE_HEAD:
            continue
        length = int.from_bytes(message[1:_HANDSHAKE_HEAD], "big")
        if length > MAX_HELLO_BYTES:
            raise ValueError("too long a ClientHello")
        if len(message) >= _HANDSHAKE_HEAD + length:
            return message[_HANDSHAKE_HEAD : _HANDSHAKE_HEAD + length]
    raise ValueError("too many records")


class _Cut:
    """Bytes from which pieces are taken, front to back."""

    def __init__(self, left: bytes) -> None:
        self._left = left

    def __bool__(self) -> bool:
        return bool(self._left)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes; raises ValueError when there are fewer."""
        if size > len(self._left):
            raise ValueError("a ClientHello that is cut short")
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def number(self, size: int) -> int:
        """Return the next `size` bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def sized(self, head: int) -> bytes:
        """Return the bytes behind a length of `head` bytes."""
        return self.take(self.number(head))
