"""A server of bare bytes, and the router's own HTTP client in front of it, on both event loops."""

from __future__ import annotations

import asyncio
import functools
import inspect
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.limits import HttpLimits
from shared.clock import SystemClock

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
KEY = "sk-test-0123456789"


@dataclass
class Peer:
    """One connection as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    requests: list[bytes] = field(default_factory=list)

    async def request(self) -> bytes:
        """The next request, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await self.reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b""
        self.requests.append(head + body)
        return head + body

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def gone(self) -> None:
        """Waits until the client closed."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Server:
    """Where it listens, and who came."""

    port: int = 0
    peers: list[Peer] = field(default_factory=list)
    scheme: str = "http"

    def call(self, body: bytes = b"{}", host: str = "127.0.0.1", path: str = "/v1/chat") -> HttpCall:
        url = f"{self.scheme}://{host}:{self.port}{path}"
        return HttpCall("p", url, {"Authorization": f"Bearer {KEY}"}, body, is_private=True)

    @property
    def requests(self) -> list[bytes]:
        return [request for peer in self.peers for request in peer.requests]


@asynccontextmanager
async def serving(script: Script, context: ssl.SSLContext | None = None) -> AsyncGenerator[Server, None]:
    """Runs `script` for each connection."""
    made = Server(scheme="https" if context else "http")
    running: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        peer = Peer(reader, writer, len(made.peers))
        made.peers.append(peer)
        try:
            await script(peer)
            writer.close()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            running.discard(task)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # Transports are closed in the turn after they are told so.
        await asyncio.sleep(0.01)


def answering(*pieces: bytes) -> Script:
    """Answers each request with `pieces`."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)

    return script


@asynccontextmanager
async def client(trust: ssl.SSLContext | None = None, **limits: object) -> AsyncGenerator[HttpClient, None]:
    made = HttpClient(HttpLimits(**{"first_token_s": 5, "idle_s": 5, "total_s": 20, **limits}), SystemClock(), trust)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def body_of(made: HttpClient, call: HttpCall) -> bytes:
    """The whole streamed body."""
    answer = await made.streamed(call)
    parts: list[bytes] = []
    try:
        while part := await answer.read():
            answer.progressed()
            parts.append(part)
    finally:
        answer.close()
    return b"".join(parts)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def eventually(holds: Callable[[], bool], within_s: float = 2.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.002)


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs an async test on asyncio's loop, and on the one that the service runs on."""

    @functools.wraps(test)
    def run(*args: object, loop_factory: Callable[[], asyncio.AbstractEventLoop], **kwargs: object) -> None:
        async def within() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(within())

    signature = inspect.signature(test)
    added = inspect.Parameter("loop_factory", inspect.Parameter.KEYWORD_ONLY)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), added])  # type: ignore[attr-defined]
    loops = [
        pytest.param(asyncio.new_event_loop, id="asyncio"),
        pytest.param(uvloop.new_event_loop, id="uvloop"),
    ]
    return pytest.mark.parametrize("loop_factory", loops)(run)
