"""Keeps the connections to all registered MCP servers in tasks of this process."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from shared.clock import Clock
from shared.errors import NexusError
from shared.server.supervised import supervised
from shared.telemetry.logging import get_logger
from tool_executor.domain.mcp_catalog import NOTHING, Catalog, NamedTool, Offer, admit
from tool_executor.domain.mcp_errors import server_down, server_unknown
from tool_executor.domain.mcp_server import McpFailure, RegisteredServer, ServerState, ServerView
from tool_executor.domain.tool_source import SourceId
from tool_executor.ports.mcp_connection import McpConnection
from tool_executor.ports.mcp_connector import McpConnector
from tool_executor.ports.mcp_server_store import McpServerStore
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_registry import ToolRegistry

_log = get_logger(__name__)
ToolMaker = Callable[[RegisteredServer, NamedTool, Callable[[], McpConnection]], Tool]
"""Makes a tool of a server, which gets its connection anew for each call."""
_DEFECT = "a defect of Nexus, which the log describes"
_UNREADABLE = "its secrets cannot be decrypted with this installation's key; remove it and add it again"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for servers that do not answer.

    Args:
        first_pause_s: before the second attempt; each next pause is twice as long.
        longest_pause_s: between two attempts.
        tools_kept_s: how long the tools of a server that is gone stay in the registry; calls of them fail meanwhile.
    """

    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
    tools_kept_s: float = 60.0


@dataclass(slots=True, eq=False)
class _Kept:
    """A server and what is known of it."""

    server: RegisteredServer
    state: ServerState = ServerState.CONNECTING
    error: str = ""
    catalog: Catalog = NOTHING
    connection: McpConnection | None = None
    down_since_s: float = 0.0
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None


class SupervisedMcpConnections:
    """One task a server: connects, lists, waits for changes, and begins again when the server fails.

    Args:
        store: the registered servers.
        connector: connects.
        registry: gets the tools.
        make_tool: makes them.
        clock: tells how long a server has been away.
        patience: with servers that do not answer.
    """

    def __init__(
        self,
        store: McpServerStore,
        connector: McpConnector,
        registry: ToolRegistry,
        make_tool: ToolMaker,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._store = store
        self._connector = connector
        self._registry = registry
        self._make_tool = make_tool
        self._clock = clock
        self._patience = patience
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to connect to all registered servers.

        Raises:
            UpstreamDown: when it is not known which they are.
        """
        for server in await self._store.all():
            self.begin(server)

    async def stop(self) -> None:
        """End all connections, and wait for that."""
        for kept in list(self._kept.values()):
            self._end(kept)
        self._kept.clear()
        if self._ending:
            await asyncio.wait(set(self._ending))

    def begin(self, server: RegisteredServer) -> None:
        """Begin to connect to `server`. Idempotent."""
        key = (server.org_id, server.spec.name)
        if key in self._kept:
            return
        kept = self._kept[key] = _Kept(server, down_since_s=self._clock.monotonic())
        if not server.is_readable:
            self._failed(kept, _UNREADABLE)
            return
        # A context of its own: it outlives the request that caused it, and is nobody's call.
        kept.keeper = asyncio.create_task(
            supervised("mcp_server", partial(self._keep, kept))(),
            name=f"mcp-{server.spec.name}",
            context=contextvars.Context(),
        )

    async def end(self, org_id: str, name: str) -> None:
        """End the connection to a server, and take its tools away at once. Idempotent."""
        kept = self._kept.pop((org_id, name), None)
        if kept is not None:
            self._end(kept)
            if kept.keeper is not None:
                await asyncio.wait({kept.keeper})

    async def settled(self, org_id: str, name: str, within_s: float) -> None:
        """Wait until the first attempt to connect has ended, at most `within_s` seconds."""
        kept = self._found(org_id, name)
        try:
            async with asyncio.timeout(within_s):
                await kept.settled.wait()
        except TimeoutError:
            return

    def views(self, org_id: str) -> Sequence[ServerView]:
        """Return the servers of `org_id` with their state, by name."""
        mine = sorted(key for key in self._kept if key[0] == org_id)
        return [self.view(*key) for key in mine]

    def view(self, org_id: str, name: str) -> ServerView:
        """Return one server with its state.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
        """
        kept = self._found(org_id, name)
        return ServerView(kept.server, kept.state, kept.error, kept.catalog)

    def connection(self, org_id: str, name: str) -> McpConnection:
        """Return the connection to a server.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            UpstreamDown: MCP_SERVER_DOWN.
        """
        kept = self._found(org_id, name)
        if kept.connection is None:
            raise server_down(name, kept.error)
        return kept.connection

    async def relisted(self, org_id: str, name: str) -> Sequence[Tool]:
        """Return the tools of a server as it lists them now; the caller has them put into the registry.

        Raises:
            NotFound: MCP_SERVER_UNKNOWN.
            UpstreamDown: MCP_SERVER_DOWN.
        """
        kept, connection = self._found(org_id, name), self.connection(org_id, name)
        try:
            tools = await self._listed(kept, connection)
        except McpFailure as failure:
            raise server_down(name, failure.message) from failure
        if self._kept.get((org_id, name)) is not kept:
            # Removed meanwhile: what it listed must not come back into the registry.
            raise server_unknown(name)
        return tools

    def _found(self, org_id: str, name: str) -> _Kept:
        kept = self._kept.get((org_id, name))
        if kept is None:
            raise server_unknown(name)
        return kept

    def _end(self, kept: _Kept) -> None:
        self._registry.drop(source_of(kept.server))
        if kept.keeper is not None:
            kept.keeper.cancel()
            self._ending.add(kept.keeper)
            kept.keeper.add_done_callback(self._ending.discard)

    async def _keep(self, kept: _Kept) -> None:
        server, patience = kept.server, self._patience
        pause_s = patience.first_pause_s
        while True:
            try:
                async with self._connector.connect(server.org_id, server.spec) as connection:
                    await self._take(kept, connection)
                    pause_s = patience.first_pause_s
                    while True:
                        await connection.changed()
                        await self._take(kept, connection)
            except McpFailure as failure:
                self._failed(kept, failure.message)
            except NexusError as error:
                self._failed(kept, error.message)
            except Exception:
                self._failed(kept, _DEFECT)
                raise
            finally:
                kept.connection = None
            await self._pause(kept, pause_s)
            pause_s = min(patience.longest_pause_s, 2 * pause_s)

    async def _take(self, kept: _Kept, connection: McpConnection) -> None:
        """List what the server offers, and have it in the registry.

        Raises:
            McpFailure: when it cannot be listed.
            NexusError: when it cannot be taken in.
        """
        tools = await self._listed(kept, connection)
        change = self._registry.put(source_of(kept.server), tools)
        kept.connection = connection
        kept.state, kept.error = ServerState.READY, ""
        kept.settled.set()
        if change.added or change.removed:
            _log.info("mcp_tools_changed", **_names(kept), added=len(change.added), removed=len(change.removed))

    async def _listed(self, kept: _Kept, connection: McpConnection) -> Sequence[Tool]:
        """Return the tools that the server has now, and remember what it offers."""
        offer = await connection.offer()
        # In a thread: a catalog may be large, and a stranger made it so.
        catalog, tools = await asyncio.to_thread(self._taken_in, kept.server, offer)
        if catalog.notes and catalog.notes != kept.catalog.notes:
            _log.warning("mcp_server_notes", **_names(kept), notes=len(catalog.notes))
        kept.catalog = catalog
        await self._pin(kept)
        return tools

    def _taken_in(self, server: RegisteredServer, offer: Offer) -> tuple[Catalog, Sequence[Tool]]:
        catalog = admit(server.spec.name, offer, server.pins, self._is_taken)
        connected = partial(self.connection, server.org_id, server.spec.name)
        return catalog, [self._make_tool(server, named, connected) for named in catalog.tools]

    async def _pin(self, kept: _Kept) -> None:
        """Remember what tools were like when they were first seen."""
        server = kept.server
        new = {each.tool.original: each.digest for each in kept.catalog.tools if each.tool.original not in server.pins}
        if new:
            kept.server = replace(server, pins={**server.pins, **new})
            await self._store.pin(server.org_id, server.spec.name, kept.server.pins)

    def _is_taken(self, name: str) -> bool:
        return self._registry.find("", name) is not None

    def _failed(self, kept: _Kept, why: str) -> None:
        if kept.state is not ServerState.FAILED:
            kept.down_since_s = self._clock.monotonic()
            _log.warning("mcp_server_failed", **_names(kept))
        kept.state, kept.error = ServerState.FAILED, why
        kept.settled.set()

    async def _pause(self, kept: _Kept, pause_s: float) -> None:
        """Wait until the next attempt; take the tools away when the server has been gone for too long."""
        left_s = kept.down_since_s + self._patience.tools_kept_s - self._clock.monotonic()
        if 0 < left_s < pause_s:
            await asyncio.sleep(left_s)
            pause_s -= left_s
            left_s = 0
        if left_s <= 0:
            self._registry.drop(source_of(kept.server))
        await asyncio.sleep(pause_s)


def source_of(server: RegisteredServer) -> SourceId:
    """Return under which the tools of `server` are registered."""
    return SourceId(f"mcp:{server.spec.name}", server.org_id)


def _names(kept: _Kept) -> dict[str, str]:
    return {"org_id": kept.server.org_id, "server": kept.server.spec.name}
