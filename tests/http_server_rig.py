"""A real HTTP server with a handler that shows what it sees, and clients that speak raw bytes to it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from shared.errors import NexusError
from shared.errors.http_status import http_status_of
from shared.http_server.connection import Connection
from shared.http_server.exchange import Handler, Reply, Request
from shared.http_server.limits import Limits
from shared.http_server.server import HttpServer

TEXT = [("content-type", "text/plain")]
ALLOWED_BYTES = 1_000_000
LARGE_BYTES = 4_000_000


def refuse(error: NexusError) -> tuple[int, Sequence[tuple[str, str]], bytes]:
    return http_status_of(error), TEXT, error.reason.encode()


@dataclass
class Seen:
    """A handler that answers with what it was given, or does what the path says, and what became of it."""

    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    at_work: int = 0
    cancelled: int = 0
    settled: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.paths.append(request.path)
        self.at_work += 1
        self.asked.set()
        try:
            await getattr(self, request.path.strip("/") or "echo", self.echo)(request, reply)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except NexusError as error:
            reply.send(*refuse(error))
        finally:
            self.at_work -= 1

    async def echo(self, request: Request, reply: Reply) -> None:
        """Says what came."""
        body = await request.body(ALLOWED_BYTES)
        self.bodies.append(body)
        said = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": dict(request.headers),
            "body": body.decode("latin-1"),
        }
        reply.send(200, [("content-type", "application/json")], orjson.dumps(said))

    async def deaf(self, request: Request, reply: Reply) -> None:
        """Answers without looking at the body."""
        reply.send(401, TEXT, b"who are you")

    async def wait(self, request: Request, reply: Reply) -> None:
        """Answers when the test says so; the body was read."""
        await request.body(ALLOWED_BYTES)
        await self.released.wait()
        reply.send(200, TEXT, b"at last")

    async def think(self, request: Request, reply: Reply) -> None:
        """Answers when the test says so; the body was not read."""
        await self.released.wait()
        reply.send(200, TEXT, b"at last")

    async def later(self, request: Request, reply: Reply) -> None:
        """Has something to do when the reply is whole."""
        reply.send(200, TEXT, b"now")
        await self.released.wait()
        self.settled += 1

    async def stream(self, request: Request, reply: Reply) -> None:
        """Streams until the test says so."""
        reply.begin(200, [("content-type", "text/event-stream")], b"first")
        while not self.released.is_set():
            reply.write(b"more")
            await asyncio.sleep(0.005)
        reply.end(b"last")

    async def flood(self, request: Request, reply: Reply) -> None:
        """Streams as much as the client takes."""
        reply.begin(200, TEXT)
        piece = b"x" * 16384
        while not self.released.is_set():
            reply.write(piece)
            if reply.is_behind:
                await reply.drained()
            else:
                await asyncio.sleep(0)
        reply.end()

    async def polite(self, request: Request, reply: Reply) -> None:
        """Streams, and says so where it may not go on."""
        reply.begin(200, TEXT, b"first")
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            if reply.is_dismissed:
                reply.end(b"we close")
            raise

    async def large(self, request: Request, reply: Reply) -> None:
        """Answers with more than is sent to a client that does not read."""
        reply.send(200, TEXT, b"x" * LARGE_BYTES)

    async def crash(self, request: Request, reply: Reply) -> None:
        """Does what no handler should."""
        raise RuntimeError("secret internals")

    async def half(self, request: Request, reply: Reply) -> None:
        """Begins a reply and does not end it."""
        reply.begin(200, TEXT, b"half a")

    async def gave_up(self, request: Request, reply: Reply) -> None:
        """Begins a reply and cuts it."""
        reply.begin(200, TEXT, b"half a")
        reply.abort()
        await asyncio.sleep(0.01)
        self.settled += 1


@asynccontextmanager
async def served(handler: Handler, **limits: float) -> AsyncIterator[HttpServer]:
    """A server with `limits` on a free port."""
    server = HttpServer(handler, Limits(**limits), refuse)  # type: ignore[arg-type]
    await server.start(("127.0.0.1", 0))
    try:
        yield server
    finally:
        await server.stop(0)


@dataclass
class Answer:
    """A whole reply."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_continued: bool = False

    @property
    def json(self) -> dict[str, object]:
        return orjson.loads(self.body)


class Peer:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        self.writer.transport.abort()

    async def answer(self, *, has_body: bool = True) -> Answer:
        head = await self.reader.readuntil(b"\r\n\r\n")
        if is_continued := head.startswith(b"HTTP/1.1 100 "):
            head = await self.reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in fields)}
        found = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", line)
        assert found, line
        body = b""
        if has_body and headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        elif has_body and "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif has_body and int(found[1]) not in (204, 304):
            body = await self.reader.read()
        return Answer(int(found[1]), headers, body, is_continued)

    async def is_closed(self) -> bool:
        """Whether the server ends the connection, without another word."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body


@asynccontextmanager
async def peer(server: HttpServer, *, limit: int = 2**16) -> AsyncIterator[Peer]:
    """A client that is connected to `server`."""
    reader, writer = await asyncio.open_connection(*server.address, limit=limit)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


class Hand:
    """The event loop of a server, whose time goes on only when the test says so."""

    def __init__(self, server: HttpServer) -> None:
        assert server._hub
        assert server._sweeping
        server._sweeping.cancel()
        self._hub = server._hub
        self._loop = self._hub.loop
        self._now = self._loop.time()
        self._hub.loop = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def later(self, seconds: float) -> None:
        """So much later the server looks at its times."""
        self._now += seconds
        self._hub.tick()

    def bound_unread(self, *lines: Connection) -> None:
        """Allows a byte less than what waits on `lines` together: how much the kernel took is its own affair."""
        most = sum(unread_bytes(line) for line in lines) - 1
        self._hub.limits = replace(self._hub.limits, unread_bytes=most)

    async def unread(self, client: Peer) -> Connection:
        """The connection of `client`, once a reply waits for it there and no more of it goes out by itself."""
        address = client.writer.get_extra_info("sockname")

        def waits(line: object) -> bool:
            assert isinstance(line, Connection)
            return bool(unread_bytes(line)) and line._transport.get_extra_info("peername") == address  # type: ignore[union-attr]

        await until(lambda: any(waits(line) for line in self._hub.connections))
        (found,) = (line for line in self._hub.connections if waits(line))
        assert isinstance(found, Connection)
        before = 0
        while before != unread_bytes(found):
            before = unread_bytes(found)
            await asyncio.sleep(0.02)
        return found


def unread_bytes(line: Connection) -> int:
    """What waits for the client of `line`."""
    return line._transport.get_write_buffer_size() if line._transport else 0


async def until(holds: object, within_s: float = 5) -> float:
    """Waits until `holds()` and returns how long that took."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(within_s):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.001)
    return loop.time() - begun
