"""The body of a request, as it comes."""

from __future__ import annotations

import re
from typing import Protocol

from shared.http_server.refusals import Refusal, refusal

_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
# Of a line with the size of a chunk, and of the lines after the last one.
_LINE_BYTES = 256
_TRAILER_BYTES = 4096
# A body of crumbs costs far more to read than it holds.
_FREE_CHUNKS = 10_000
_CHUNK_BYTES = 64


class Body(Protocol):
    """Takes the bytes of one body.

    Attributes:
        size_bytes: Came so far.
        is_whole: Whether that is all.
    """

    size_bytes: int
    is_whole: bool

    def feed(self, data: bytes) -> bytes:
        """Takes what belongs to the body and returns the rest.

        Raises:
            NexusError: REQUEST_MALFORMED.
        """
        ...

    def take(self) -> bytes:
        """What came and was not taken yet."""
        ...


class MeasuredBody:
    """A body of a length that was told."""

    __slots__ = ("_data", "_left_bytes", "is_whole", "size_bytes")

    def __init__(self, length: int) -> None:
        self._left_bytes = length
        self._data = bytearray()
        self.size_bytes = 0
        self.is_whole = not length

    def feed(self, data: bytes) -> bytes:
        """See Body."""
        left = self._left_bytes
        mine, rest = (data, b"") if len(data) <= left else (data[:left], data[left:])
        self._data += mine
        self.size_bytes += len(mine)
        self._left_bytes = left - len(mine)
        self.is_whole = not self._left_bytes
        return rest

    def take(self) -> bytes:
        """See Body."""
        data, self._data = self._data, bytearray()
        return bytes(data)


class ChunkedBody:
    """A body in chunks. Extensions and trailers are passed over, and are bounded."""

    __slots__ = ("_chunks", "_data", "_in_trailer", "_left_bytes", "_line", "_trailer_bytes", "is_whole", "size_bytes")

    def __init__(self) -> None:
        self._data = bytearray()
        # Of the chunk, with the CRLF behind it.
        self._left_bytes = 0
        self._line = b""
        self._in_trailer = False
        self._chunks = 0
        self._trailer_bytes = 0
        self.size_bytes = 0
        self.is_whole = False

    def feed(self, data: bytes) -> bytes:
        """See Body."""
        at, end = 0, len(data)
        while at < end and not self.is_whole:
            at = self._take_data(data, at) if self._left_bytes else self._take_line(data, at)
        return data[at:]

    def take(self) -> bytes:
        """See Body."""
        data, self._data = self._data, bytearray()
        return bytes(data)

    def _take_data(self, data: bytes, at: int) -> int:
        left = self._left_bytes
        if left > 2:
            piece = data[at : at + left - 2]
            self._data += piece
            self.size_bytes += len(piece)
            self._left_bytes -= len(piece)
            return at + len(piece)
        if data[at] != b"\r\n"[-left]:
            raise refusal(Refusal.REQUEST_MALFORMED, "a chunk is not as long as it says")
        self._left_bytes -= 1
        return at + 1

    def _take_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at, at + _LINE_BYTES)
        line = self._line + data[at : end + 1 if end >= 0 else at + _LINE_BYTES]
        if len(line) > _LINE_BYTES or (end < 0 and len(line) == _LINE_BYTES):
            raise refusal(Refusal.REQUEST_MALFORMED, "a line between chunks is too long")
        if end < 0:
            self._line = line
            return len(data)
        self._line = b""
        if line[-2:] != b"\r\n" or line.count(b"\r") != 1:
            raise refusal(Refusal.REQUEST_MALFORMED, "a line ends with a bare CR or LF")
        if self._in_trailer:
            self._end_trailer(line)
        else:
            self._begin_chunk(line[:-2])
        return end + 1

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise refusal(Refusal.REQUEST_MALFORMED, "a chunk has no size")
        size = int(match[1], 16)
        self._chunks += 1
        if self._chunks > _FREE_CHUNKS and self.size_bytes < self._chunks * _CHUNK_BYTES:
            raise refusal(Refusal.REQUEST_MALFORMED, "its chunks are too small")
        self._left_bytes = size + 2 if size else 0
        self._in_trailer = not size

    def _end_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _TRAILER_BYTES:
            raise refusal(Refusal.REQUEST_MALFORMED, "the trailers are too long")
        self.is_whole = line == b"\r\n"
