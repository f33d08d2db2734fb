"""Registering, removing and trying MCP servers: what is written down, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.errors import NotFound, QuotaExceeded, UpstreamDown
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.domain.mcp_server import HttpTransport, McpFailure, ServerSpec
from tool_executor.use_cases.add_mcp_server import AddMcpServer
from tool_executor.use_cases.change_mcp_servers import ChangeMcpServers
from tool_executor.use_cases.note_mcp_change import NoteMcpChange
from tool_executor.use_cases.remove_mcp_server import RemoveMcpServer
from tool_executor.use_cases.try_mcp_server import TryMcpServer

SPEC = ServerSpec("s", HttpTransport("https://example.org/mcp"))
OWNER = principal("org-a")


class World:
    """Store, connections, audit and connector in one: notes what happens in which order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.kept: Any = None
        self.connected: Any = None
        self.going = asyncio.Event()
        self.is_audited = True
        given: Any = self
        note = NoteMcpChange(given, FakeClock(), lambda: "event")
        change = ChangeMcpServers(given, given, note)
        self.adding = AddMcpServer(change, FakeClock(), (), most=9)
        self.removing = RemoveMcpServer(change)
        self.trying = TryMcpServer(given, given, note, FakeClock(), ())

    async def note(self, event: Any) -> None:
        if not self.is_audited:
            raise UpstreamDown("AUDIT_DOWN", "No audit.")
        self.log.append(event.reason)

    async def earlier(self, server: Any, *, most: int) -> Any:
        return self.kept

    async def add(self, server: Any, *, most: int) -> Any:
        self.kept = self.kept or server
        self.log.append("kept")
        return self.kept

    async def remove(self, org_id: str, name: str) -> None:
        self.kept = None
        self.log.append("forgotten")

    def begin(self, server: Any) -> None:
        self.connected = self.connected or server

    async def settled(self, org_id: str, name: str, within_s: float) -> None:
        pass

    def view(self, org_id: str, name: str) -> Any:
        if self.connected is None:
            raise NotFound("MCP_SERVER_UNKNOWN", "There is none.")
        return self.connected

    async def end(self, org_id: str, name: str) -> None:
        await self.going.wait()
        self.connected = None

    @asynccontextmanager
    async def connect(self, org_id: str, spec: ServerSpec) -> AsyncGenerator[Any, None]:
        self.log.append("tried")
        await self.going.wait()
        raise McpFailure("it is not there")
        yield


async def test_what_cannot_be_audited_is_not_done() -> None:
    world = World()
    world.is_audited = False
    for call in (world.adding(OWNER, SPEC, "k"), world.trying(OWNER, SPEC)):
        with pytest.raises(UpstreamDown):
            await call
    assert (world.log, world.kept, world.connected) == ([], None, None)


async def test_a_registration_is_noted_once_and_before_it_is_kept() -> None:
    world = World()
    first = await world.adding(OWNER, SPEC, "k")
    assert await world.adding(OWNER, SPEC, "k") is first
    assert world.log == ["MCP_SERVER_ADDED", "kept", "kept"]


async def test_who_adds_while_it_is_removed_comes_after() -> None:
    world = World()
    await world.adding(OWNER, SPEC, "")
    removal = asyncio.create_task(world.removing(OWNER, "s"))
    while world.kept is not None:
        await asyncio.sleep(0)
    addition = asyncio.create_task(world.adding(OWNER, SPEC, ""))
    for _ in range(10):
        await asyncio.sleep(0)
    world.going.set()
    await asyncio.gather(removal, addition)
    assert world.kept is world.connected is not None


async def test_one_who_tries_many_servers_locks_nobody_out() -> None:
    world = World()
    async with asyncio.TaskGroup() as group:
        for org_id in ("org-a", "org-b", "org-c", "org-d"):
            for _ in range(2):
                group.create_task(world.trying(principal(org_id), SPEC))
            while world.log.count("tried") % 2 or not world.log:
                await asyncio.sleep(0)
            for _ in range(10):
                await asyncio.sleep(0)
            with pytest.raises(QuotaExceeded):
                await world.trying(principal(org_id), SPEC)
        # So many there are in all.
        with pytest.raises(QuotaExceeded):
            await world.trying(principal("org-e"), SPEC)
        world.going.set()
    assert world.log.count("MCP_SERVER_TESTED") == world.log.count("tried") == 8
    await world.trying(OWNER, SPEC)
