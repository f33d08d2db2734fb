"""The last copy of a calendar's address: how long it counts, and what it is good for when there is no newer."""

from __future__ import annotations

import asyncio

import pytest
from dashboard_fakes import DAILY, LUNCH, NOON, FakeFeed

from dashboard_service.adapters.calendar_feed_cached import CachedCalendarFeed
from dashboard_service.domain.errors import CalendarUnreachable
from shared.errors import UpstreamDown
from shared.testing.fakes import FakeClock

URL = "https://calendar.example/secret-token/basic.ics"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def cached(feed: FakeFeed, clock: FakeClock, max_bytes: int = 10_000_000) -> CachedCalendarFeed:
    return CachedCalendarFeed(feed, clock, ttl_s=300, retry_s=30, max_bytes=max_bytes)


async def test_a_copy_counts_as_new_for_its_time(clock: FakeClock) -> None:
    feed = FakeFeed()
    cache = cached(feed, clock)
    for _ in range(3):
        assert (await cache.fetch("org-a", URL, 20)).problem == ""
    assert feed.calls == 1
    clock.advance(300)
    feed.ics = DAILY
    assert (await cache.fetch("org-a", URL, 20)).ics == DAILY
    assert feed.calls == 2


async def test_an_older_copy_is_given_with_the_problem_and_failures_are_not_repeated_at_once(clock: FakeClock) -> None:
    feed = FakeFeed()
    cache = cached(feed, clock)
    await cache.fetch("org-a", URL, 20)
    feed.failure = UpstreamDown("DOWN", "calendar.example is down.")
    clock.advance(300)
    for _ in range(3):
        old = await cache.fetch("org-a", URL, 20)
        assert (old.ics, old.read_at, old.problem) == (LUNCH, NOON, "calendar.example is down. This is an older copy.")
    assert feed.calls == 2
    clock.advance(30)
    feed.failure = None
    assert (await cache.fetch("org-a", URL, 20)).problem == ""


async def test_without_a_copy_the_failure_is_told_without_the_address(clock: FakeClock) -> None:
    cache = cached(FakeFeed(failure=UpstreamDown("DOWN", "calendar.example is down.")), clock)
    for _ in range(2):
        with pytest.raises(CalendarUnreachable) as caught:
            await cache.fetch("org-a", URL, 20)
        assert caught.value.message == "calendar.example is down."
        assert "secret-token" not in repr(caught.value)


async def test_a_feed_that_hangs_gives_way_to_the_older_copy(clock: FakeClock) -> None:
    feed = FakeFeed()
    cache = cached(feed, clock)
    await cache.fetch("org-a", URL, 20)
    clock.advance(300)
    feed.delay_s = 30
    old = await cache.fetch("org-a", URL, 0.02)
    assert old.ics == LUNCH
    assert old.problem == "calendar.example did not answer in time. This is an older copy."
    with pytest.raises(CalendarUnreachable, match="did not answer in time"):
        await cache.fetch("org-b", URL, 0.02)


async def test_another_address_never_gives_the_earlier_ones_copy(clock: FakeClock) -> None:
    feed = FakeFeed()
    cache = cached(feed, clock)
    await cache.fetch("org-a", URL, 20)
    feed.failure = UpstreamDown("DOWN", "down")
    with pytest.raises(CalendarUnreachable):
        await cache.fetch("org-a", "https://other.example/x.ics", 20)


async def test_two_organisations_share_nothing(clock: FakeClock) -> None:
    feed = FakeFeed()
    cache = cached(feed, clock)
    await cache.fetch("org-a", URL, 20)
    feed.ics = DAILY
    assert (await cache.fetch("org-b", URL, 20)).ics == DAILY
    assert (await cache.fetch("org-a", URL, 20)).ics == LUNCH


async def test_callers_who_come_together_share_one_fetch(clock: FakeClock) -> None:
    feed = FakeFeed(delay_s=0.01)
    cache = cached(feed, clock)
    feeds = await asyncio.gather(*(cache.fetch("org-a", URL, 20) for _ in range(20)))
    assert {f.ics for f in feeds} == {LUNCH}
    assert feed.calls == 1


async def test_a_caller_who_leaves_does_not_spoil_it_for_the_next(clock: FakeClock) -> None:
    feed = FakeFeed(delay_s=0.05)
    cache = cached(feed, clock)
    first = asyncio.create_task(cache.fetch("org-a", URL, 20))
    second = asyncio.create_task(cache.fetch("org-a", URL, 20))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second).ics == LUNCH


async def test_copies_used_least_lately_go_first(clock: FakeClock) -> None:
    feed = FakeFeed()
    cache = cached(feed, clock, max_bytes=2 * len(LUNCH))
    for org in ("org-a", "org-b", "org-a", "org-c"):
        await cache.fetch(org, URL, 20)
    assert feed.calls == 3
    await cache.fetch("org-a", URL, 20)
    assert feed.calls == 3
    await cache.fetch("org-b", URL, 20)
    assert feed.calls == 4
