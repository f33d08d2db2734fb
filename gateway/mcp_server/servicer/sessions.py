"""The sessions of clients that begin with a handshake (versions up to 2025-11-25): whose they are, and how many.

Later versions know no sessions; their requests stand alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import anyio
from mcp.server.connection import Connection
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.runner import serve_connection
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher

from gateway.mcp_server.domain.errors import Reason, failure
from shared.auth.principal import Principal
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
Owner: TypeAlias = tuple[str, str, str]
_CHANGES = NotificationOptions(tools_changed=True, resources_changed=True)


@dataclass(eq=False, slots=True)
class Session:
    """One session.

    Attributes:
        session_id: A secret of its client, and of no use to anybody else.
        owner: Organisation, user and API key that began it.
        transport: The SDK's end of it.
        requests: That are being answered. A client that only listens, which may have left unseen, is not among them.
        connection: To tell the client something by; None until it is served.
        ready: Set when it is served, or cannot be.
    """

    session_id: str
    owner: Owner
    transport: StreamableHTTPServerTransport
    requests: int = 0
    connection: Connection | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_established(self) -> bool:
        """Whether its client said in a handshake who it is."""
        return self.connection is not None and self.connection.initialize_accepted


class Sessions:
    """Keeps sessions: each for the API key that began it, and so many for each key.

    Args:
        server: Handles their requests.
        most_per_key: Where a key has so many, the one that it has not used for longest makes room.
        idle_s: After which an unused one ends.
    """

    def __init__(self, server: Server[Any], most_per_key: int, idle_s: float) -> None:
        self._server = server
        self._most_per_key = most_per_key
        self._idle_s = idle_s
        # The one that was used last is the last one.
        self._sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, session_id: str, principal: Principal) -> Session:
        """Return the session of that id.

        Raises:
            NotFound: SESSION_UNKNOWN; also for one of another key, since the two must look alike.
        """
        session = self._sessions.get(session_id)
        if session is None or session.owner != _owner(principal):
            raise failure(Reason.SESSION_UNKNOWN, "There is no such session. Begin a new one.")
        return session

    async def begin(self, principal: Principal) -> Session:
        """Begin a session. Where its first request does not establish it, `end` it.

        Raises:
            QuotaExceeded: TOO_MANY_SESSIONS: the key has as many, and all have calls under way.
        """
        owner = _owner(principal)
        await self._make_room(owner)
        transport = StreamableHTTPServerTransport(uuid.uuid4().hex, idle_timeout=self._idle_s)
        session = Session(str(transport.mcp_session_id), owner, transport)
        self._sessions[session.session_id] = session
        # In a context of its own: the session outlives the request that begins it, and acts for nobody by itself.
        task = asyncio.create_task(self._served(session), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await session.ready.wait()
        return session

    @contextmanager
    def used(self, session: Session) -> Generator[None, None, None]:
        """Count a request of `session` for the duration of the block."""
        session.requests += 1
        self._sessions[session.session_id] = self._sessions.pop(session.session_id, session)
        try:
            yield
        finally:
            session.requests -= 1
            if session.transport.is_terminated:
                self._sessions.pop(session.session_id, None)

    async def end(self, session: Session) -> None:
        """End a session, with all that it has under way. Idempotent."""
        self._sessions.pop(session.session_id, None)
        if not session.transport.is_terminated:
            await session.transport.terminate()

    async def stop(self) -> None:
        """End all of them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make_room(self, owner: Owner) -> None:
        while len(own := [each for each in self._sessions.values() if each.owner == owner]) >= self._most_per_key:
            idlest = next((session for session in own if not session.requests), None)
            if idlest is None:
                raise failure(
                    Reason.TOO_MANY_SESSIONS,
                    f"Your key has {len(own)} sessions, and all have calls under way. End one of them.",
                )
            await self.end(idlest)

    async def _served(self, session: Session) -> None:
        """Serve a session until it is ended, or was idle for too long."""
        try:
            async with session.transport.connect() as (incoming, outgoing):
                # In the order that they come: who sends more before the handshake is done is not refused for that.
                dispatcher = JSONRPCDispatcher[Any](incoming, outgoing, inline_methods=frozenset({"initialize"}))
                session.connection = Connection.for_loop(dispatcher, session_id=session.session_id)
                session.ready.set()
                with session.transport.idle_scope or anyio.CancelScope():
                    await serve_connection(
                        self._server,
                        dispatcher,
                        connection=session.connection,
                        lifespan_state=None,
                        init_options=self._server.create_initialization_options(_CHANGES),
                    )
        except Exception as error:  # noqa: BLE001 - a supervisor: what breaks one session must not end the others
            _log.error("mcp_session_failed", exc_info=error)
        finally:
            session.ready.set()
            await self.end(session)


def _owner(principal: Principal) -> Owner:
    return (principal.org_id, principal.user_id, principal.key_id)
