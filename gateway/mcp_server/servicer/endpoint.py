"""The MCP endpoint behind its doors: sessions, and requests that stand alone.

It is imported when the first caller is let in: the SDK is large, and most processes of this kind wait for nobody.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from gateway.mcp_server.servicer.asgi_bridge import App, serve_asgi
from gateway.mcp_server.servicer.changes import Changes, Listener
from gateway.mcp_server.servicer.edge_settings import EdgeSettings
from gateway.mcp_server.servicer.protocol import Protocol, UseCases
from gateway.mcp_server.servicer.sessions import Session, Sessions
from gateway.mcp_server.servicer.visitor import KEY, Visitor
from shared.http_server.exchange import Reply, Request
from shared.ids import IdSource

_VERSION = "mcp-protocol-version"
_OK = 200


class Endpoint:
    """Answers the requests of callers who are known.

    Args:
        use_cases: What the methods do.
        settings: How the endpoint is served.
        new_id: Makes keys of requests that belong to no session.
    """

    def __init__(self, use_cases: UseCases, settings: EdgeSettings, new_id: IdSource) -> None:
        self._changes = Changes(use_cases.list_tools, use_cases.list_artifacts, settings.lists_every_s)
        self._protocol = Protocol(use_cases, self._changes, new_id)
        self._is_hushed = asyncio.Event()
        server = self._protocol.server()
        self._sessions = Sessions(server, settings.sessions_per_key, settings.session_idle_s)
        self._alone = _Alone(server, settings.body_bytes)

    async def __call__(self, request: Request, body: bytes, reply: Reply, visitor: Visitor) -> int:
        """Answer `request` and return the status that was sent.

        Raises:
            NexusError: SESSION_UNKNOWN, TOO_MANY_SESSIONS; nothing is sent then. Unauthenticated: the key that opened
                a stream works no more; it is to be cut.
        """
        version = request.headers.get(_VERSION)
        if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            return await serve_asgi(await self._alone.app(), request, body, reply, {KEY: visitor})
        session_id = request.headers.get(MCP_SESSION_ID_HEADER)
        if session_id is None:
            return await self._opened(request, body, reply, visitor)
        session = self._sessions.find(session_id, visitor.principal)
        known = Visitor(visitor.principal, session_id, visitor.recheck)
        if request.method == "GET":
            return await self._streamed(session, request, reply, known)
        with self._sessions.used(session):
            return await serve_asgi(session.transport.handle_request, request, body, reply, {KEY: known})

    def hush(self) -> None:
        """End the streams on which clients only listen, so that nobody waits for them."""
        self._is_hushed.set()
        self._protocol.hush()

    async def stop(self) -> None:
        """End all sessions."""
        await self._sessions.stop()
        await self._alone.stop()

    async def _opened(self, request: Request, body: bytes, reply: Reply, visitor: Visitor) -> int:
        """Answer the request that begins a session; where it does not, there is none."""
        session = await self._sessions.begin(visitor.principal)
        known = Visitor(visitor.principal, session.session_id, visitor.recheck)
        try:
            with self._sessions.used(session):
                return await serve_asgi(session.transport.handle_request, request, body, reply, {KEY: known})
        finally:
            # A client may leave as soon as it has the answer, and come back.
            if not session.is_established:
                await self._sessions.end(session)

    async def _streamed(self, session: Session, request: Request, reply: Reply, visitor: Visitor) -> int:
        """Serve the stream of what nobody asked for: that lists have changed."""
        connection = session.connection
        if connection is None:
            raise RuntimeError("a session that was found is served")
        listener = Listener(
            lambda: connection.notify("notifications/tools/list_changed", None),
            lambda: connection.notify("notifications/resources/list_changed", None),
        )
        app = session.transport.handle_request
        serving = asyncio.create_task(serve_asgi(app, request, b"", reply, {KEY: visitor}))
        others = (
            asyncio.create_task(self._changes.watch(visitor.recheck, listener)),
            asyncio.create_task(self._is_hushed.wait()),
        )
        try:
            done, _ = await asyncio.wait((serving, *others), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                # The watch fails with the key.
                task.result()
        finally:
            for task in (serving, *others):
                task.cancel()
            await asyncio.gather(serving, *others, return_exceptions=True)
        if serving.cancelled() and reply.has_begun:
            reply.end()
        return _OK if serving.cancelled() else serving.result()


class _Alone:
    """The SDK's entry for requests that stand alone. It wants to be entered and left in one task."""

    def __init__(self, server: Server[Any], body_bytes: int) -> None:
        self._entry = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=body_bytes)
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def app(self) -> App:
        """Return the application; the first call begins its work."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        await self._ready.wait()
        return self._entry.handle_request

    async def stop(self) -> None:
        """End its work."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with self._entry.run():
            self._ready.set()
            await asyncio.get_running_loop().create_future()
