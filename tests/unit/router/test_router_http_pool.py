"""Who waits for a connection, and leaves."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from provider_router.adapters.http.pool import Pool
from provider_router.adapters.http.request_heads import Origin


class FakeConnection:
    is_usable = True
    is_quiet = True

    def close(self) -> None:
        self.is_usable = False


class FakeDialler:
    async def connect(self, _origin: Any, _make: Any) -> FakeConnection:
        return FakeConnection()


def pool_of(size: int) -> Pool:
    return Pool(cast("Origin", None), cast("Any", FakeDialler()), size, line=4)


async def test_who_leaves_just_when_a_place_becomes_free_leaves_in_peace() -> None:
    pool = pool_of(1)
    first = await pool.lease()
    waiting = asyncio.create_task(pool.lease())
    await asyncio.sleep(0)
    waiting.cancel()
    pool.lost(first)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1):
        assert (await pool.lease()).is_usable


async def test_what_was_given_to_somebody_who_left_goes_to_the_next() -> None:
    pool = pool_of(1)
    first = await pool.lease()
    leaving, staying = asyncio.create_task(pool.lease()), asyncio.create_task(pool.lease())
    await asyncio.sleep(0)
    pool.rests(first)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    async with asyncio.timeout(1):
        assert await staying is first
