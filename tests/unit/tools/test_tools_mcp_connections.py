"""Servers that come, change, fail and go: what becomes of their tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tools_fakes import ECHO, ScriptedTool

from shared.errors import NotFound, UpstreamDown
from shared.testing.fakes import FakeClock
from tool_executor.adapters.mcp_connections_supervised import Patience, SupervisedMcpConnections
from tool_executor.adapters.tool_registry_memory import MemoryToolRegistry
from tool_executor.domain.mcp_catalog import Offer, OfferedTool
from tool_executor.domain.mcp_server import HttpTransport, McpFailure, RegisteredServer, ServerSpec, ServerState

Next = Offer | McpFailure


def offer(*names: str, **changes: Any) -> Offer:
    tools = [OfferedTool(name, changes.get("description", "d"), {"type": "object"}, None, None) for name in names]
    return Offer("fake 1", tuple(tools))


class FakeServer:
    """A server that offers what the test says, one thing after the other; it waits where there is nothing more."""

    def __init__(self, *script: Next) -> None:
        self.script: asyncio.Queue[Next] = asyncio.Queue()
        self.connections = self.ended = 0
        for each in script:
            self.script.put_nowait(each)
        self._now: Offer | None = None

    @asynccontextmanager
    async def connect(self, org_id: str, spec: ServerSpec) -> AsyncGenerator[Any, None]:
        self.connections += 1
        await self.changed()
        try:
            yield self
        finally:
            self.ended += 1

    async def changed(self) -> None:
        following = await self.script.get()
        if isinstance(following, McpFailure):
            raise following
        self._now = following

    async def offer(self) -> Offer:
        assert self._now is not None
        return self._now


class FakeStore:
    def __init__(self, *servers: RegisteredServer) -> None:
        self.servers = servers
        self.pins: dict[tuple[str, str], Mapping[str, str]] = {}

    async def all(self) -> Sequence[RegisteredServer]:
        return self.servers

    async def pin(self, org_id: str, name: str, digests: Mapping[str, str]) -> None:
        self.pins[org_id, name] = digests


def registered(org_id: str = "org-a", name: str = "s", **changes: Any) -> RegisteredServer:
    spec = ServerSpec(name, HttpTransport("https://example.org"))
    return RegisteredServer(org_id, "user-1", "", spec, datetime(2026, 11, 20, tzinfo=UTC), **changes)


class Rig:
    def __init__(self, server: FakeServer, *servers: RegisteredServer, kept_s: float = 60.0) -> None:
        self.clock = FakeClock()
        self.registry = MemoryToolRegistry([ScriptedTool()])
        self.store = FakeStore(*(servers or (registered(),)))
        patience = Patience(first_pause_s=0.001, longest_pause_s=0.002, tools_kept_s=kept_s)
        made: Any = self.store
        self.connections = SupervisedMcpConnections(made, server, self.registry, self._tool, self.clock, patience)

    def _tool(self, server: RegisteredServer, named: Any, connection: Any) -> ScriptedTool:
        return ScriptedTool(definition=replace(ECHO, name=named.name))

    def names(self, org_id: str = "org-a") -> list[str]:
        return [tool.definition.name for tool in self.registry.all(org_id)]

    async def until(self, state: ServerState, tools: Sequence[str], name: str = "s") -> None:
        async with asyncio.timeout(5):
            while (self.connections.view("org-a", name).state, self.names()) != (state, sorted(["echo", *tools])):
                await asyncio.sleep(0)


@asynccontextmanager
async def started(rig: Rig) -> AsyncGenerator[Rig, None]:
    await rig.connections.start()
    try:
        yield rig
    finally:
        await rig.connections.stop()
    assert rig.names() == ["echo"]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("mcp-")]


async def test_tools_come_change_and_go() -> None:
    server = FakeServer(offer("a"))
    async with started(Rig(server)) as rig:
        await rig.until(ServerState.READY, ["s_a"])
        assert rig.names("org-b") == ["echo"]
        server.script.put_nowait(offer("a", "b"))
        await rig.until(ServerState.READY, ["s_a", "s_b"])
        server.script.put_nowait(offer("b"))
        await rig.until(ServerState.READY, ["s_b"])
        assert set(rig.store.pins["org-a", "s"]) == {"a", "b"}
        await rig.connections.end("org-a", "s")
        assert (rig.names(), rig.connections.views("org-a"), server.ended) == (["echo"], [], 1)
        with pytest.raises(NotFound):
            rig.connections.connection("org-a", "s")


async def test_a_server_that_fails_is_tried_again_and_keeps_its_tools_for_a_while() -> None:
    server = FakeServer(offer("a"), McpFailure("it fell"), McpFailure("it fell again"))
    async with started(Rig(server)) as rig:
        await rig.until(ServerState.FAILED, ["s_a"])
        async with asyncio.timeout(5):
            while server.connections < 3:
                await asyncio.sleep(0.001)
        assert rig.connections.view("org-a", "s").error == "it fell again"
        with pytest.raises(UpstreamDown, match="it fell again"):
            rig.connections.connection("org-a", "s")
        server.script.put_nowait(offer("a"))
        await rig.until(ServerState.READY, ["s_a"])


async def test_a_server_that_is_gone_for_long_loses_its_tools() -> None:
    server = FakeServer(offer("a"), McpFailure("it fell"))
    async with started(Rig(server)) as rig:
        await rig.until(ServerState.FAILED, ["s_a"])
        rig.clock.advance(61)
        server.script.put_nowait(McpFailure("it fell"))
        await rig.until(ServerState.FAILED, [])


async def test_a_changed_tool_is_noted_against_what_was_first_seen() -> None:
    server = FakeServer(offer("a"), offer("a", description="other"))
    async with started(Rig(server)) as rig:
        async with asyncio.timeout(5):
            while not rig.connections.view("org-a", "s").catalog.notes:
                await asyncio.sleep(0)
        assert rig.connections.view("org-a", "s").catalog.notes == (
            "the tool 'a' is not what it was when it was first seen",
        )
        assert rig.store.pins["org-a", "s"] == {"a": offer("a").tools[0].digest}


async def test_secrets_that_cannot_be_read_are_told_and_nothing_is_connected_to() -> None:
    server = FakeServer(offer("a"))
    async with started(Rig(server, registered(is_readable=False))) as rig:
        view = rig.connections.view("org-a", "s")
        assert (view.state, "decrypted" in view.error, server.connections) == (ServerState.FAILED, True, 0)


async def test_a_defect_of_this_side_costs_one_server_a_pause_and_no_other_anything() -> None:
    class Broken(FakeServer):
        async def offer(self) -> Offer:
            raise ZeroDivisionError

    async with started(Rig(Broken(offer("a")))) as rig:
        await rig.until(ServerState.FAILED, [])
        assert rig.connections.view("org-a", "s").error == "a defect of Nexus, which the log describes"
        (keeper,) = [task for task in asyncio.all_tasks() if task.get_name() == "mcp-s"]
        await asyncio.sleep(0.01)
        assert not keeper.done()


async def test_a_reload_lists_a_server_anew() -> None:
    server = FakeServer(offer("a"))
    async with started(Rig(server)) as rig:
        await rig.until(ServerState.READY, ["s_a"])
        server._now = offer("z")
        assert [tool.definition.name for tool in await rig.connections.relisted("org-a", "s")] == ["s_z"]
        with pytest.raises(NotFound):
            await rig.connections.relisted("org-b", "s")


async def test_a_server_that_is_removed_while_it_is_reloaded_brings_nothing_back() -> None:
    class Slow(FakeServer):
        asked, go, slow = asyncio.Event(), asyncio.Event(), False

        async def offer(self) -> Offer:
            if self.slow:
                self.asked.set()
                await self.go.wait()
            return await super().offer()

    server = Slow(offer("a"))
    async with started(Rig(server)) as rig:
        await rig.until(ServerState.READY, ["s_a"])
        server.slow = True
        reload = asyncio.create_task(rig.connections.relisted("org-a", "s"))
        await server.asked.wait()
        await rig.connections.end("org-a", "s")
        server.go.set()
        with pytest.raises(NotFound):
            await reload
