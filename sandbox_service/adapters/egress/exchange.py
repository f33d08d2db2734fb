"""One connection of a program: what it asks for, whether it may, and the way there."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.egress.relay import Line, Relay
from sandbox_service.adapters.egress.request_head import END, MAX_HEAD_BYTES, Forward, RefusedError, Tunnel, request_of
from sandbox_service.adapters.egress.traffic import Traffic
from sandbox_service.domain.egress import EgressGrant, EgressLimits

_LINGER_S = 1.0
_LINGER_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Exchange:
    """Serves one connection.

    Attributes:
        grant: what may be reached.
        limits: what may be used.
        traffic: counts for all connections of the program.
        dialler: what opens connections.
        looking_up: held while a name is looked up.
    """

    grant: EgressGrant
    limits: EgressLimits
    traffic: Traffic
    dialler: EgressDialler
    looking_up: asyncio.Lock

    async def run(self, client: Line) -> None:
        """Serve `client` to its end; its owner closes it."""
        with suppress(OSError):  # whoever asked has left
            try:
                await self._answer(client)
            except RefusedError as refusal:
                self.traffic.refused(refusal.reason)
                await _tell(client, refusal)

    async def _answer(self, client: Line) -> None:
        request = request_of(await self._head(client.reader))
        if not self.grant.allows(request.host, request.port):
            words = f"EGRESS_REFUSED: {request.host}:{request.port} is not among the targets that the run was granted."
            raise RefusedError(403, "target", words)
        upstream = await Line.over(await self._dialled(request))
        try:
            target = self.traffic.connected(request.host, request.port)
            relay = Relay(client, upstream, self.traffic, target, self.limits.idle_s)
            if isinstance(request, Tunnel):
                await relay.tunnel(request.host)
            else:
                await relay.forward(request)
        finally:
            upstream.cut()

    async def _head(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(self.limits.request_s):
                return await reader.readuntil(END)
        except TimeoutError as error:
            raise RefusedError(408, "slow", "The request's head did not come in time.") from error
        except asyncio.LimitOverrunError as error:
            raise RefusedError(431, "head_size", f"The head is longer than {MAX_HEAD_BYTES} bytes.") from error
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError from error

    async def _dialled(self, request: Tunnel | Forward) -> socket.socket:
        try:
            async with asyncio.timeout(self.limits.connect_s):
                async with self.looking_up:
                    addresses = await self.dialler.addresses_of(request.host, request.port)
                return await self.dialler.dial(addresses, request.port)
        except TimeoutError as error:
            raise RefusedError(504, "unreachable", f"{request.host} does not answer in time.") from error


def _refusal(refusal: RefusedError) -> bytes:
    body = f"{refusal.message}\n".encode()
    head = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def _tell(client: Line, refusal: RefusedError) -> None:
    """Send a refusal, and read a while what nobody wants: to close over unread bytes would take the words away."""
    left = _LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            await client.send(_refusal(refusal))
            client.writer.write_eof()
            while left > 0 and (piece := await client.reader.read(_LINGER_BYTES)):
                left -= len(piece)
