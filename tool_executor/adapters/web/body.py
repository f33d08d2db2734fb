"""Reads bodies to a limit, whatever they unpack to."""

from __future__ import annotations

import zlib
from typing import Any

import aiohttp

from tool_executor.domain.web_exchange import WebFailure, WebFault

_CHUNK_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
ACCEPTED_PACKING = "gzip, deflate"


async def read_body(response: aiohttp.ClientResponse, max_bytes: int, host: str, *, cuts: bool) -> tuple[bytes, bool]:
    """Return the body, unpacked, and whether it was cut.

    Neither what comes nor what it unpacks to is held beyond `max_bytes`, so a bomb costs no more than that.

    Args:
        response: whose body is unread.
        max_bytes: the limit.
        host: for people.
        cuts: whether a longer body is cut instead of refused.

    Raises:
        WebFailure: TOO_LARGE, or FAILED for a packing that was not asked for or is broken.
    """
    unpack = _unpacker(response, host)
    declared = response.content_length or 0
    if declared > max_bytes and not cuts:
        raise _too_large(host, max_bytes)
    body, received = bytearray(), 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        received += len(chunk)
        body += unpack.add(chunk, max_bytes - len(body))
        if len(body) > max_bytes or received > max_bytes:
            if cuts:
                return bytes(body[:max_bytes]), True
            raise _too_large(host, max_bytes)
    unpack.end()
    return bytes(body), False


class _Plain:
    """A body that is not packed."""

    def add(self, chunk: bytes, _room: int) -> bytes:
        """Return `chunk`."""
        return chunk

    def end(self) -> None:
        """Nothing is left."""


class _Packed:
    """A body packed by gzip or deflate; what comes after its end is dropped."""

    def __init__(self, host: str, wbits: int | None) -> None:
        self._host = host
        self._wbits = wbits
        self._stream: Any = None

    def add(self, chunk: bytes, room: int) -> bytes:
        """Return what `chunk` unpacks to, at most a byte more than there is room for."""
        if self._stream is None:
            self._stream = zlib.decompressobj(self._wbits or (zlib.MAX_WBITS if _has_zlib_head(chunk) else _RAW))
        try:
            return b"" if self._stream.eof else self._stream.decompress(chunk, room + 1)
        except zlib.error as error:
            raise self._broken() from error

    def end(self) -> None:
        """Refuse a body that breaks off."""
        if self._stream is not None and not self._stream.eof:
            raise self._broken()

    def _broken(self) -> WebFailure:
        return WebFailure(WebFault.FAILED, f"What {self._host} sends is packed, and broken.")


def _unpacker(response: aiohttp.ClientResponse, host: str) -> _Plain | _Packed:
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing in {"", "identity"}:
        return _Plain()
    if packing in {"gzip", "x-gzip"}:
        return _Packed(host, _GZIP)
    if packing == "deflate":
        return _Packed(host, None)
    raise WebFailure(WebFault.FAILED, f"{host} packs what it sends in a way that was not asked for.")


def _has_zlib_head(chunk: bytes) -> bool:
    """Whether a deflated body has the head of RFC 1950, as it should; some send it without."""
    return len(chunk) > 1 and chunk[0] & 0x0F == zlib.DEFLATED and int.from_bytes(chunk[:2], "big") % 31 == 0


def _too_large(host: str, max_bytes: int) -> WebFailure:
    return WebFailure(WebFault.TOO_LARGE, f"What {host} sends has more than {max_bytes:,} bytes, the limit.")
