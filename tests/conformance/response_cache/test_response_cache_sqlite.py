"""What the cache in SQLite does besides: it outlives its process, and damage is a miss."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest
from router_cache_fakes import NOON, answer_at, key_of, lookup_of, turned

from provider_router.adapters.response_cache_sqlite import SqliteResponseCache
from provider_router.domain.cache.cached_answer import CacheBounds, CacheSize
from shared.errors import UpstreamDown
from shared.storage import Database, GroupCommit

MIGRATIONS = "provider_router.adapters.migrations"


@asynccontextmanager
async def opened(path: Path, **bounds: float) -> AsyncIterator[SqliteResponseCache]:
    database, writer = Database(path, MIGRATIONS), GroupCommit(path)
    await database.open()
    await writer.start()
    try:
        yield SqliteResponseCache(database, writer, CacheBounds(**bounds))
    finally:
        await writer.stop()
        await database.close()


def changed(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def body_of(path: Path) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT body FROM cached_answers").fetchone()[0]


async def test_answers_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path) as cache:
        await cache.put(key_of("a"), turned(0), answer_at())

    async with opened(path) as cache:
        assert (await cache.find(lookup_of(key_of("a")))).answer == answer_at()
        assert (await cache.find(lookup_of(key_of("b"), turned(3)))).semantic
        assert (await cache.size()).entries == 1


async def test_two_routers_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path) as one, opened(path) as other:
        await one.put(key_of("a"), (), answer_at())
        assert await other.find(lookup_of(key_of("a"))) is not None
        assert await other.invalidate("acme") == 1
        assert await one.find(lookup_of(key_of("a"))) is None


async def test_a_change_of_any_byte_of_a_stored_answer_is_a_miss(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path) as cache:
        await cache.put(key_of("a"), turned(0), answer_at())
        body = body_of(path)
        for place in range(len(body)):
            damaged = bytearray(body)
            damaged[place] ^= 1
            changed(path, "UPDATE cached_answers SET body = ?", bytes(damaged))
            assert await cache.find(lookup_of(key_of("b"), turned(0))) is None, place
            # The damaged row is gone; put it back for the next byte.
            await cache.put(key_of("a"), turned(0), answer_at())


@pytest.mark.parametrize(
    ("damage", "value"),
    [
        ("UPDATE cached_answers SET body = ?", b""),
        ("UPDATE cached_answers SET body = ?", "text"),
        ("UPDATE cached_answers SET body = ?", 7),
        ("UPDATE cached_answers SET model = ?", "two/m"),
        ("UPDATE cached_answers SET created_us = ?", 1_800_000_000_000_000),
    ],
)
async def test_a_damaged_row_is_a_miss_and_is_removed(tmp_path: Path, damage: str, value: object) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path) as cache:
        await cache.put(key_of("a"), turned(0), answer_at())
        changed(path, damage, value)

        assert await cache.find(lookup_of(key_of("a"))) is None
        assert await cache.size() == CacheSize(0, 0)


@pytest.mark.parametrize("vector", [b"\xff" * 8, b"", b"abc", "textvect", 12345678, b"\x00" * 8])
async def test_a_damaged_vector_is_like_nothing(tmp_path: Path, vector: object) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path) as cache:
        await cache.put(key_of("a"), turned(0), answer_at())
        changed(path, "UPDATE cached_answers SET vector = ?", vector)

        assert await cache.find(lookup_of(key_of("b"), turned(0))) is None
        assert await cache.find(lookup_of(key_of("a"))) is not None


async def test_a_count_that_does_not_fit_the_rows_ends_in_bounds_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path, entries=2) as cache:
        await cache.put(key_of("a"), (), answer_at())
        changed(path, "UPDATE cache_sizes SET entries = 50, bytes = 5")
        changed(path, "INSERT INTO cache_sizes VALUES ('ghost', 9, 9000000)")

        assert (await cache.put(key_of("b"), (), answer_at())).entries <= 2


async def test_a_use_counts_after_a_restart_once_it_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path, entries=3) as cache:
        for second, name in enumerate("ab"):
            await cache.put(key_of(name), (), answer_at(NOON + timedelta(seconds=second)))
        assert await cache.find(lookup_of(key_of("a"), later_s=5))
        await cache.put(key_of("c"), (), answer_at(NOON + timedelta(seconds=6)))

    async with opened(path, entries=3) as cache:
        await cache.put(key_of("d"), (), answer_at(NOON + timedelta(seconds=7)))
        left = [name for name in "abcd" if await cache.find(lookup_of(key_of(name), later_s=9))]
    assert left == ["a", "c", "d"]


async def test_answers_that_are_too_old_for_everybody_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path, keep_s=60) as cache:
        await cache.put(key_of("a", "other"), (), answer_at())
        size = await cache.put(key_of("b"), (), answer_at(NOON + timedelta(seconds=61)))

    assert size.entries == 1


async def test_a_failed_write_leaves_the_cache_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "router.sqlite"
    async with opened(path) as cache:
        await cache.put(key_of("a"), (), answer_at())
        before = await cache.size()
        changed(path, "CREATE TRIGGER no BEFORE INSERT ON cached_answers BEGIN SELECT RAISE(ABORT, 'no'); END")
        with pytest.raises(UpstreamDown):
            await cache.put(key_of("a"), (), answer_at(decision_id="d2"))

        assert await cache.size() == before
        assert (await cache.find(lookup_of(key_of("a")))).answer.decision_id == "d1"
