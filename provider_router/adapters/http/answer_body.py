"""Reads the body of an answer, which a provider may have compressed although it was asked not to."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from provider_router.adapters.http.call import HttpFault
from provider_router.adapters.http.connection import Connection
from provider_router.domain.errors import Reason

Read: TypeAlias = Callable[[], Awaitable[bytes]]
"""Gives the next bytes of a body; empty at its end. Raises `HttpFault`."""

# A few bytes may stand for gigabytes: so many at most are made of them at a time.
_PIECE_BYTES = 256 * 1024
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_PLAIN = frozenset({"", "identity"})
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})


def body_reader(connection: Connection) -> Read:
    """Returns what reads the body of the answer on `connection`, in plain bytes.

    Raises:
        HttpFault: PROVIDER_BAD_RESPONSE, when it is coded in a way that is not known here.
    """
    coding = connection.answer.header(b"content-encoding").lower()
    if coding in _PLAIN:
        return connection.read
    if coding in _COMPRESSED:
        return _Inflating(connection).read
    raise HttpFault(Reason.PROVIDER_BAD_RESPONSE, "it is compressed")


async def read_at_most(read: Read, cap_bytes: int) -> tuple[bytes, bool]:
    """Returns the body up to about `cap_bytes`, and whether that is all of it."""
    parts: list[bytes] = []
    size_bytes = 0
    while part := await read():
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > cap_bytes:
            return b"".join(parts)[:cap_bytes], False
    return b"".join(parts), True


class _Inflating:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._gave_way = False
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)

    async def read(self) -> bytes:
        """The next plain bytes."""
        while True:
            packed = await self._packed()
            if not packed:
                if not self._inflate.eof:
                    raise HttpFault(Reason.PROVIDER_BAD_RESPONSE, "it broke off")
                return b""
            if self._inflate.eof:
                raise _beyond_its_end()
            try:
                plain = self._inflate.decompress(packed, _PIECE_BYTES)
            except zlib.error as error:
                raise HttpFault(Reason.PROVIDER_BAD_RESPONSE, "it is not compressed as it says") from error
            if self._inflate.unused_data:
                raise _beyond_its_end()
            if plain:
                return plain

    async def _packed(self) -> bytes:
        if self._inflate.unconsumed_tail:
            # It may stand for a thousand times as much, and others are to work meanwhile.
            await asyncio.sleep(0)
            self._gave_way = True
            return self._inflate.unconsumed_tail
        if self._gave_way:
            # More may have come meanwhile, and who always finds a piece never waits until it is late.
            self._connection.check_time()
        self._gave_way = False
        return await self._connection.read()


def _beyond_its_end() -> HttpFault:
    """More follows: part of the answer, perhaps, and the decompressor would keep all of it, however much it is."""
    return HttpFault(Reason.PROVIDER_BAD_RESPONSE, "it goes on beyond its end")
