"""Bodies of HTTP answers in pieces that may be parsed: none has more values or bytes than a message may have."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator

import httpx2

from shared.json_values import has_too_many_values

# The end of an event: two line ends, and never one that is taken for two.
_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_END_BYTES = 4
_DATA = b"data:"


class TooMuchError(httpx2.SSEError):
    """An answer is more than is taken; of the kind that the SDK tells callers also in the midst of a stream."""


async def whole_body(chunks: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
    """Give a body of at most `most` bytes once it is there.

    Raises:
        TooMuchError: when it is too large, or has too many values.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        _require_size(body, most)
    whole = bytes(body)
    _require_values(whole)
    yield whole


async def whole_events(chunks: AsyncIterable[bytes], most: int) -> AsyncIterator[bytes]:
    """Give a stream of events, each of them when it is whole and has at most `most` bytes.

    Raises:
        TooMuchError: when one is too large, or has too many values.
    """
    rest = bytearray()
    async for chunk in chunks:
        known = max(0, len(rest) - _END_BYTES)
        rest += chunk
        ends = [found.end() for found in _END.finditer(rest, known)]
        if ends:
            events = bytes(rest[: ends[-1]])
            del rest[: ends[-1]]
            _require_events(events)
            yield events
        _require_size(rest, most)
    _require_events(bytes(rest))
    yield bytes(rest)


def _require_events(events: bytes) -> None:
    if not has_too_many_values(_without_quotes(events)):
        return
    for event in _END.split(events):
        lines = event.splitlines()
        _require_values(b"\n".join(line[len(_DATA) :] for line in lines if line.startswith(_DATA)))
        # What is no data must not hide any by a quotation mark of its own.
        _require_values(_without_quotes(b"\n".join(line for line in lines if not line.startswith(_DATA))))


def _without_quotes(text: bytes) -> bytes:
    return text.replace(b'"', b"")


def _require_size(body: bytearray, most: int) -> None:
    if len(body) > most:
        raise TooMuchError("its answer is too large")


def _require_values(document: bytes) -> None:
    if has_too_many_values(document):
        raise TooMuchError("its answer has too many values")
