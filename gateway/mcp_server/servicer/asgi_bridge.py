"""Serves an ASGI application to one request of the house's HTTP server.

The server keeps all that is promised of it: limits, back-pressure, clients that leave, an orderly end. A client that
leaves is no message here: the application's task is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from shared.http_server.exchange import Reply, Request

Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [Any, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
# The server writes them itself.
_OWN = frozenset((b"connection", b"content-length", b"date", b"transfer-encoding", b"server"))


async def serve_asgi(app: App, request: Request, body: bytes, reply: Reply, extra: Message) -> int:
    """Have `app` answer `request`, whose whole body is `body`, and return the status; 0 where it sent none.

    Args:
        app: An ASGI 3 application for HTTP.
        request: The request.
        body: Its body.
        reply: To it; whole when this returns with a status.
        extra: Further entries of the scope.
    """
    answer = _Answer(reply)
    await app({**_scope(request), **extra}, _Reader(body), answer.send)
    if reply.has_begun and not answer.is_whole:
        reply.abort()
    return answer.status


class _Reader:
    """What the application receives: the body, and then nothing."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            await asyncio.get_running_loop().create_future()
        return {"type": "http.request", "body": body, "more_body": False}


class _Answer:
    """What the application sends."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._headers: list[tuple[str, str]] = []
        self._is_measured = False
        self.status = 0
        self.is_whole = False

    async def send(self, message: Message) -> None:
        """Send a message on, and wait for a client that is behind."""
        if message["type"] == "http.response.start":
            self._start(message)
        elif message["type"] == "http.response.body" and not self.is_whole:
            await self._write(bytes(message.get("body", b"")), more=bool(message.get("more_body", False)))

    def _start(self, message: Message) -> None:
        headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
        self.status = message["status"]
        self._headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in headers if name not in _OWN
        ]
        self._is_measured = any(name == b"content-length" for name, _ in headers)
        if not self._is_measured:
            # A stream, whose client waits for the head though nothing may be said for long.
            self._reply.begin(self.status, self._headers)

    async def _write(self, piece: bytes, *, more: bool) -> None:
        reply = self._reply
        if not reply.has_begun and not more:
            self.is_whole = True
            reply.send(self.status, self._headers, piece)
            return
        if not reply.has_begun:
            reply.begin(self.status, self._headers)
        if more:
            reply.write(piece)
            if reply.is_behind:
                await reply.drained()
            return
        self.is_whole = True
        reply.end(piece)


def _scope(request: Request) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()],
        "client": (request.peer, 0),
        "server": None,
    }
