"""Caches to test: in memory, and in SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from provider_router.adapters.response_cache_memory import MemoryResponseCache
from provider_router.adapters.response_cache_sqlite import SqliteResponseCache
from provider_router.domain.cache.cached_answer import CacheBounds
from provider_router.ports.response_cache import ResponseCache
from shared.storage import Database, GroupCommit

MIGRATIONS = "provider_router.adapters.migrations"
MakeCache = Callable[..., Awaitable[ResponseCache]]


@pytest.fixture(params=["memory", "sqlite"])
async def make_cache(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MakeCache]:
    if request.param == "memory":

        async def in_memory(**bounds: float) -> ResponseCache:
            return MemoryResponseCache(CacheBounds(**bounds))

        yield in_memory
        return
    database = Database(tmp_path / "router.sqlite", MIGRATIONS)
    writer = GroupCommit(tmp_path / "router.sqlite")
    await database.open()
    await writer.start()

    async def in_sqlite(**bounds: float) -> ResponseCache:
        return SqliteResponseCache(database, writer, CacheBounds(**bounds))

    yield in_sqlite
    await writer.stop()
    await database.close()
