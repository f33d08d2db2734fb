"""A proxy behind its door, with a name server and an internet of one machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.egress.proxy import EgressProxy
from sandbox_service.domain.egress import EgressGrant, EgressLimits, rule_of

LIMITS = EgressLimits()
PUBLIC = "93.184.215.14"
NAMES = {
    "api.example.com": [PUBLIC],
    "mixed.example.com": ["10.0.0.7", "169.254.169.254", PUBLIC],
    "meta.example.com": ["169.254.169.254"],
    "own.example.com": ["127.0.0.1", "::1"],
    "lan.example.com": ["192.168.1.1", "10.1.2.3", "fd00::1", "100.64.0.1"],
    "mapped.example.com": ["::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1", "0.0.0.1", "::"],
}
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


class Rig:
    """The proxy, and what it looked up and connected to."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.dialler = EgressDialler(self.look_up, self.connect)
        self.proxy: EgressProxy
        self.door: tuple[str, int]

    async def look_up(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        if host not in NAMES:
            raise socket.gaierror
        return NAMES[host]

    async def connect(self, address: str, port: int) -> socket.socket:
        self.connected.append((address, port))
        _, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        taken = writer.get_extra_info("socket").dup()
        writer.close()
        return taken

    async def ask(self, sent: bytes) -> bytes:
        """Send, and return all that comes until the proxy closes."""
        reader, writer = await asyncio.open_connection(*self.door)
        try:
            writer.write(sent)
            return await reader.read()
        finally:
            writer.close()

    async def status(self, sent: bytes) -> int:
        return int((await self.ask(sent)).split(b" ", 2)[1])

    async def tunnel(self, target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.door)
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        return reader, writer


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def internet(handler: Handler = echo, limits: EgressLimits = LIMITS, *more: str) -> AsyncIterator[Rig]:
    """A proxy that has not been started."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    made = Rig(server.sockets[0].getsockname()[1])
    rules = ("*.example.com:443", "*.example.com:80", "other.test:80", *more)
    made.proxy = EgressProxy(EgressGrant(tuple(map(rule_of, rules))), limits, made.dialler)
    try:
        yield made
    finally:
        await made.proxy.stop()
        made.dialler.close()
        server.close()


@asynccontextmanager
async def rig(handler: Handler = echo, limits: EgressLimits = LIMITS, *more: str) -> AsyncIterator[Rig]:
    """A proxy with its door in this network namespace."""
    async with internet(handler, limits, *more) as made:
        listener = socket.create_server(("127.0.0.1", 0))
        made.door = listener.getsockname()
        made.proxy.start(listener.detach())
        yield made
