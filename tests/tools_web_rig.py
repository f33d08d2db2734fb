"""Real servers on loopback for the web's tools, and names that lead where the test says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tool_executor.adapters.web.web_client_aiohttp import AiohttpWebClient
from tool_executor.adapters.web.web_gate_public import PublicWebGate
from tool_executor.domain.web_exchange import Admission, WebAddress

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PUBLIC = "127.0.0.1"
INSIDE = "127.0.0.2"
"""Serves as well, and counts as private."""


@dataclass
class Site:
    """A server; `replies` by path, `seen` the requests."""

    port: int = 0
    replies: dict[str, Handler] = field(default_factory=dict)
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "site.example") -> str:
        return f"http://{host}:{self.port}{path}"

    def on(self, path: str, handler: Handler) -> None:
        self.replies[path] = handler

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        handler = self.replies.get(request.path)
        return await handler(request) if handler else web.Response(status=404, text="no such page")

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.seen]


@dataclass
class Names:
    """Answers by name; one that has several gives them in turn and keeps the last."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int, family: socket.AddressFamily) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        known = self.answers.get(host)
        if known is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        addresses = known.pop(0) if len(known) > 1 else known[0]
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    def lead(self, host: str, *answers: Sequence[str]) -> None:
        self.answers[host] = [list(answer) for answer in answers]


class AnyPort:
    """The public gate, for servers of tests: their ports are none of the web's."""

    def __init__(self) -> None:
        self._inner = PublicWebGate(frozenset({80, 443}))

    async def admit(self, address: WebAddress) -> Admission:
        return await self._inner.admit(WebAddress(address.scheme, address.host, 80, address.url))


def reply(body: bytes | str = b"", status: int = 200, **headers: str) -> Handler:
    raw = body.encode() if isinstance(body, str) else body
    told = {"Content-Type": "text/html; charset=utf-8"} | {k.replace("_", "-"): v for k, v in headers.items()}

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=raw, status=status, headers=told)

    return answer


def led(to: str, status: int = 302) -> Handler:
    return reply(b"", status, Location=to)


@asynccontextmanager
async def running_site(address: str = PUBLIC, port: int = 0) -> AsyncIterator[Site]:
    site = Site()
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", site.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    listening = web.TCPSite(runner, address, port)
    await listening.start()
    site.port = listening._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield site
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(talk: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """A server that reads a head and then says what `talk` writes; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, PUBLIC, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def web_client(names: Names, **options: Any) -> AiohttpWebClient:
    """A client to which 127.0.0.1 is the internet, and every other address what it is."""
    return AiohttpWebClient("Nexus/test", names, public=lambda address: address == PUBLIC, **options)


def known_names() -> Names:
    names = Names()
    for host in ("site.example", "other.example"):
        names.lead(host, [PUBLIC])
    names.lead("inside.example", [INSIDE])
    return names
