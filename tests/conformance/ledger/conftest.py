"""Ledgers to test: in memory, and in SQLite with a writer of its own for each router."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from router_money_fakes import NOON, FakeLimitBook, MemoryLedger, SharedRows

from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.router_presence import RouterPresence
from provider_router.ports.ledger import Ledger
from shared.storage import Database, GroupCommit


class SetClock:
    """Says what it was told."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


class MemoryRouters:
    """Routers that share rows in memory."""

    def __init__(self) -> None:
        self.book = FakeLimitBook()
        self._shared = SharedRows()
        self._ledgers: list[MemoryLedger] = []

    async def started(self, router_id: str = "r1", busy_ms: int = 5000) -> Ledger:
        self._ledgers.append(MemoryLedger(self.book, shared=self._shared, router_id=router_id))
        return self._ledgers[-1]

    def at(self, time: datetime) -> None:
        for ledger in self._ledgers:
            ledger.now = time

    def killed(self, router_id: str) -> None:
        self._shared.alive.discard(router_id)

    async def stop(self) -> None:
        pass


class SqliteRouters:
    """Routers that share a file."""

    def __init__(self, path: Path) -> None:
        self.book = FakeLimitBook()
        self.database = Database(path, "provider_router.adapters.migrations")
        self.writers: dict[str, GroupCommit] = {}
        self._path = path
        self._clock = SetClock()
        self._presences: dict[str, RouterPresence] = {}

    async def started(self, router_id: str = "r1", busy_ms: int = 5000) -> Ledger:
        if not self.writers:
            await self.database.open()
        writer, presence = GroupCommit(self._path, busy_ms=busy_ms), RouterPresence(self._path, router_id)
        await writer.start()
        presence.announce()
        self.writers[router_id], self._presences[router_id] = writer, presence
        return SqliteLedger(self.database, writer, self.book, presence, self._clock)

    def at(self, time: datetime) -> None:
        self._clock.time = time

    def killed(self, router_id: str) -> None:
        """Let go of its lock as the kernel does: the file stays."""
        presence = self._presences.pop(router_id)
        os.close(presence._descriptor)

    async def stop(self) -> None:
        for presence in self._presences.values():
            presence.withdraw()
        for writer in self.writers.values():
            await writer.stop()
        await self.database.close()


Routers = MemoryRouters | SqliteRouters


@pytest.fixture
async def sqlite_routers(tmp_path: Path) -> AsyncIterator[SqliteRouters]:
    routers = SqliteRouters(tmp_path / "db" / "router.sqlite")
    yield routers
    await routers.stop()


@pytest.fixture(params=["memory", "sqlite"])
def routers(request: pytest.FixtureRequest) -> Routers:
    return MemoryRouters() if request.param == "memory" else request.getfixturevalue("sqlite_routers")


@pytest.fixture
async def ledger(routers: Routers) -> Ledger:
    return await routers.started()
