"""Passes bytes between a program and its target, and counts them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from dataclasses import dataclass

from sandbox_service.adapters.egress import client_hello
from sandbox_service.adapters.egress.request_head import MAX_HEAD_BYTES, Forward
from sandbox_service.adapters.egress.traffic import CutError, Traffic

_PIECE_BYTES = 32 << 10
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_WRONG_NAME = bytes((21, 3, 3, 0, 2, 2, 112))  # a TLS alert: fatal, unrecognized_name


@dataclass(frozen=True, slots=True)
class Line:
    """A connected stream socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def over(cls, connected: socket.socket) -> Line:
        """Return the line over `connected`, which it owns; what it holds is bounded."""
        reader, writer = await asyncio.open_connection(sock=connected, limit=MAX_HEAD_BYTES)
        # `drain` returns when the kernel has all of it: then a line can be cut without a loss.
        writer.transport.set_write_buffer_limits(0)
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        """Write `data` and wait until the kernel has it."""
        self.writer.write(data)
        await self.writer.drain()

    def cut(self) -> None:
        """Close it at once. Idempotent."""
        self.writer.transport.abort()


class Relay:
    """Passes bytes on between `client` and `upstream`, until neither has said anything for `idle_s`.

    Args:
        client: the program's line.
        upstream: the target's.
        traffic: where bytes are counted, and what bounds them.
        target: the name under which they are counted.
        idle_s: longest silence, in seconds.
    """

    def __init__(self, client: Line, upstream: Line, traffic: Traffic, target: str, idle_s: float) -> None:
        self._client = client
        self._upstream = upstream
        self._traffic = traffic
        self._target = target
        self._idle_s = idle_s
        self._quiet = asyncio.timeout(idle_s)

    async def tunnel(self, host: str) -> None:
        """Pass on everything, until both sides have ended; TLS to another name than `host` is cut."""

        async def up() -> None:
            await self._send(await self._greeting(host))
            while piece := await self._client.reader.read(_PIECE_BYTES):
                await self._send(piece)
            self._upstream.writer.write_eof()

        await self._both(up(), _ESTABLISHED, ends_with_reply=False)

    async def forward(self, request: Forward) -> None:
        """Pass on a head and exactly its body, then all of the reply, whose end is the end."""

        async def up() -> None:
            await self._send(request.head)
            left = request.body_bytes
            while left:
                piece = await self._client.reader.read(min(left, _PIECE_BYTES))
                if not piece:
                    raise ConnectionResetError
                left -= len(piece)
                await self._send(piece)

        await self._both(up(), b"", ends_with_reply=True)

    async def _both(self, up: Coroutine[None, None, None], opening: bytes, *, ends_with_reply: bool) -> None:
        try:
            async with self._quiet, asyncio.TaskGroup() as group:
                sending = group.create_task(up)
                await self._client.send(opening)
                while piece := await self._upstream.reader.read(_PIECE_BYTES):
                    self._traffic.received(self._target, len(piece))
                    await self._client.send(piece)
                    self._heard()
                self._client.writer.write_eof()
                if ends_with_reply:
                    sending.cancel()
        except* (OSError, CutError):
            pass  # a side is gone, nobody says anything, or it is counted why

    async def _send(self, piece: bytes) -> None:
        self._traffic.sent(self._target, len(piece))
        await self._upstream.send(piece)
        self._heard()

    def _heard(self) -> None:
        self._quiet.reschedule(asyncio.get_running_loop().time() + self._idle_s)

    async def _greeting(self, host: str) -> bytes:
        """Return the first bytes of the client: of one that speaks TLS, all that says to whom.

        Raises:
            CutError: it speaks to somebody else: whoever answers for many names would answer for that one, too.
        """
        first = await self._client.reader.read(_PIECE_BYTES)
        if first[:1] != bytes((client_hello.HANDSHAKE,)):
            return first
        while True:
            try:
                name = client_hello.server_name_of(first)
            except client_hello.IncompleteError:
                piece = await self._client.reader.read(_PIECE_BYTES)
                if not piece:
                    return first
                first += piece
                continue
            except ValueError:
                break
            if name not in {"", host}:
                break
            return first
        self._traffic.refused("server_name")
        await self._client.send(_WRONG_NAME)
        raise CutError
