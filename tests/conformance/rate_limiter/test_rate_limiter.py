"""What every rate limiter does, of one process or shared by several."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing as closed
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.adapters.rate_limiter_sqlite import SqliteRateLimiter
from provider_router.adapters.rate_rows import LEVEL, PUT
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.ports.rate_limiter import RateLimiter
from shared.errors import UpstreamDown
from shared.storage import Database, GroupCommit


class SteppedClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - datetime(2026, 11, 20, tzinfo=UTC)) / timedelta(seconds=1)

    def step(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def bucket(per_minute: int = 60, subject: str = "acme/ann", unit: Unit = Unit.REQUESTS) -> Bucket:
    return Bucket(Scope.USER, subject, unit, per_minute)


def take(amount: int = 1, per_minute: int = 60, subject: str = "acme/ann", unit: Unit = Unit.REQUESTS) -> list[Charge]:
    return [Charge(bucket(per_minute, subject, unit), amount)]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    database = Database(tmp_path / "router.sqlite", "provider_router.adapters.migrations")
    await database.open()
    await database.close()
    return tmp_path / "router.sqlite"


@pytest.fixture
async def writers(path: Path) -> AsyncIterator[list[GroupCommit]]:
    writers = [GroupCommit(path), GroupCommit(path)]
    for writer in writers:
        await writer.start()
    yield writers
    for writer in writers:
        await writer.stop()


@pytest.fixture(params=["memory", "sqlite"])
def replicas(request: pytest.FixtureRequest, clock: SteppedClock) -> list[RateLimiter]:
    """The limiters of two routers; a limiter that is of one process is both of them."""
    if request.param == "memory":
        return [MemoryRateLimiter(clock)] * 2
    return [SqliteRateLimiter(writer, clock) for writer in request.getfixturevalue("writers")]


@pytest.fixture
def limiter(replicas: list[RateLimiter]) -> RateLimiter:
    return replicas[0]


async def test_nothing_to_take_is_taken_at_once(limiter: RateLimiter) -> None:
    assert await limiter.acquire([]) == 0
    await limiter.give_back([])


async def test_a_bucket_gives_what_it_holds_and_then_says_when_to_come_back(
    limiter: RateLimiter, clock: SteppedClock
) -> None:
    assert [await limiter.acquire(take()) for _ in range(60)] == [0] * 60
    assert await limiter.acquire(take()) == 1
    assert await limiter.acquire(take(30)) == 30
    clock.step(0.999999)
    assert await limiter.acquire(take()) == pytest.approx(0.000001)
    clock.step(0.000001)
    assert await limiter.acquire(take()) == 0
    assert await limiter.acquire(take()) == 1


async def test_waiting_as_long_as_told_is_enough_and_a_microsecond_less_is_not(
    limiter: RateLimiter, clock: SteppedClock
) -> None:
    for amount in (7, 3, 7, 5, 1, 7):
        wait_s = await limiter.acquire(take(amount, per_minute=7))
        if wait_s:
            clock.step(wait_s - 0.000001)
            assert await limiter.acquire(take(amount, per_minute=7)) == pytest.approx(0.000001)
            clock.step(0.000001)
            assert await limiter.acquire(take(amount, per_minute=7)) == 0


async def test_a_bucket_holds_no_more_than_a_minute(limiter: RateLimiter, clock: SteppedClock) -> None:
    await limiter.acquire(take())
    clock.step(86400 * 365)
    assert await limiter.acquire(take(60)) == 0
    assert await limiter.acquire(take()) == 1


async def test_more_than_a_bucket_holds_is_taken_when_it_is_full(limiter: RateLimiter, clock: SteppedClock) -> None:
    assert await limiter.acquire(take(1)) == 0
    assert await limiter.acquire(take(150)) == 1
    clock.step(1)
    assert await limiter.acquire(take(150)) == 0
    # 150 are taken of a bucket of 60, so it takes a minute and a half to be empty, and then one more second.
    assert await limiter.acquire(take(1)) == 91


async def test_every_charge_is_taken_or_none(limiter: RateLimiter, clock: SteppedClock) -> None:
    tokens = take(1000, per_minute=1000, unit=Unit.TOKENS)
    assert await limiter.acquire([*take(), *tokens]) == 0
    assert await limiter.acquire([*take(59), *take(500, per_minute=1000, unit=Unit.TOKENS)]) == 30
    assert await limiter.acquire(take(59)) == 0
    assert await limiter.acquire([*take(1), *take(1, subject="acme/bob")]) == 1
    assert await limiter.acquire(take(60, subject="acme/bob")) == 0


async def test_the_longest_wait_is_told(limiter: RateLimiter) -> None:
    await limiter.acquire([*take(60), *take(60, subject="acme/bob")])
    assert await limiter.acquire([*take(5), *take(20, subject="acme/bob"), *take(1, subject="acme/cid")]) == 20


async def test_a_bucket_that_stands_twice_is_taken_twice(limiter: RateLimiter) -> None:
    assert await limiter.acquire([*take(40), *take(40)]) > 0
    assert await limiter.acquire([*take(40), *take(20)]) == 0
    assert await limiter.acquire(take()) == 1


async def test_buckets_differ_by_scope_unit_and_subject(limiter: RateLimiter) -> None:
    buckets = [
        Bucket(scope, subject, unit, 1) for scope in Scope for unit in Unit for subject in ("a", "b", "a/requests", "")
    ]
    for each in buckets:
        assert await limiter.acquire([Charge(each, 1)]) == 0
    for each in buckets:
        assert await limiter.acquire([Charge(each, 1)]) == 60


async def test_a_changed_limit_counts_what_was_taken_before(limiter: RateLimiter) -> None:
    assert await limiter.acquire(take(50)) == 0
    assert await limiter.acquire(take(60, per_minute=100)) == 6
    assert await limiter.acquire(take(50, per_minute=100)) == 0
    assert await limiter.acquire(take(1, per_minute=10)) == 546


async def test_what_was_not_used_is_given_back_and_never_more_than_fits(limiter: RateLimiter) -> None:
    await limiter.acquire(take(60))
    await limiter.give_back(take(10))
    assert await limiter.acquire(take(11)) == 1
    assert await limiter.acquire(take(10)) == 0
    await limiter.give_back(take(1000))
    assert await limiter.acquire(take(61)) == 0
    assert await limiter.acquire(take(1)) == 2


async def test_what_was_used_beyond_is_taken(limiter: RateLimiter) -> None:
    await limiter.give_back(take(-90))
    assert await limiter.acquire(take(1)) == 31


async def test_a_thousand_at_once_get_what_there_is(replicas: list[RateLimiter]) -> None:
    waits = await asyncio.gather(*(replicas[n % 2].acquire(take(1, per_minute=300)) for n in range(1000)))
    assert waits.count(0) == 300


async def test_routers_share_a_limit(replicas: list[RateLimiter]) -> None:
    one, two = replicas
    assert await one.acquire(take(60)) == 0
    assert await two.acquire(take(1)) == 1
    await one.give_back(take(2))
    assert await one.acquire(take(1)) == 0  # from here on every router sees it
    assert await two.acquire(take(1)) == 0


async def test_memory_holds_the_buckets_in_use_and_forgets_full_ones(clock: SteppedClock) -> None:
    limiter = MemoryRateLimiter(clock)
    for n in range(10_000):
        await limiter.acquire(take(1, subject=f"acme/{n}"))
        clock.step(0.01)
    # Each is full again after a second, in which a hundred come.
    assert len(limiter) <= 300
    await limiter.acquire(take(60, subject="acme/kept"))
    for n in range(1000):
        await limiter.acquire(take(1, subject=f"acme/{n}"))
    assert await limiter.acquire(take(1, subject="acme/kept")) == 1


async def test_a_clock_that_is_set_back_brings_nothing_back_and_stops_nothing(
    writers: list[GroupCommit], clock: SteppedClock
) -> None:
    limiter = SqliteRateLimiter(writers[0], clock)
    await limiter.acquire(take(59))
    clock.step(-3600)
    assert await limiter.acquire(take(1)) == 0
    assert await limiter.acquire(take(1)) == 1
    clock.step(1)
    assert await limiter.acquire(take(1)) == 0


@pytest.mark.parametrize("statement", [LEVEL, PUT.sized(1), PUT.sized(2)])
async def test_no_statement_scans_a_table(path: Path, statement: str) -> None:
    with closed(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")).fetchall()
    assert not [row for row in plan if row[3].startswith("SCAN") and "CONSTANT ROW" not in row[3]]


async def test_a_store_that_is_away_is_told_before_a_call_and_fails_none_after_it(
    writers: list[GroupCommit], clock: SteppedClock
) -> None:
    limiter = SqliteRateLimiter(writers[0], clock)
    await limiter.acquire(take())
    await writers[0].stop()
    with pytest.raises(UpstreamDown, match="STORAGE_CLOSED"):
        await limiter.acquire(take())
    await limiter.give_back(take())
