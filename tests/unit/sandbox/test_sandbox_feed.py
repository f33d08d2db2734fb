from __future__ import annotations

import asyncio

import pytest

from sandbox_service.adapters.namespaces.feed import EventFeed
from sandbox_service.domain.run_event import OutputChunk, RunEvent, Stream


def chunk(number: int) -> RunEvent:
    return OutputChunk(Stream.STDOUT, bytes([number]))


async def test_who_puts_waits_for_who_reads() -> None:
    feed = EventFeed(1000)
    assert await feed.put(chunk(0), 500)
    assert await feed.put(chunk(1), 500)
    third = asyncio.create_task(feed.put(chunk(2), 1))
    await asyncio.sleep(0)
    assert not third.done()
    events = feed.events()
    assert await anext(events) == chunk(0)
    await third
    feed.end()
    assert [event async for event in events] == [chunk(1), chunk(2)]


async def test_an_event_that_is_larger_than_the_room_goes_alone() -> None:
    feed = EventFeed(1000)
    assert await feed.put(chunk(0), 5000)
    second = asyncio.create_task(feed.put(chunk(1), 1))
    await asyncio.sleep(0)
    assert not second.done()
    assert await anext(feed.events()) == chunk(0)
    assert await second


async def test_even_an_empty_event_counts() -> None:
    feed = EventFeed(1000)
    for n in range(3):
        await feed.put(chunk(n), 0)
    fourth = asyncio.create_task(feed.put(chunk(3), 0))
    await asyncio.sleep(0)
    assert not fourth.done()
    fourth.cancel()


async def test_after_a_cut_nobody_waits_and_the_end_goes_in() -> None:
    feed = EventFeed(1000)
    await feed.put(chunk(0), 1000)
    stuck = asyncio.create_task(feed.put(chunk(1), 1))
    await asyncio.sleep(0)
    feed.cut()
    assert not await stuck
    assert not await feed.put(chunk(2), 1)
    feed.add(chunk(9))
    feed.end()
    assert [event async for event in feed.events()] == [chunk(0), chunk(9)]


async def test_an_abandoned_feed_takes_everything_and_keeps_nothing() -> None:
    feed = EventFeed(1)
    await feed.put(chunk(0), 1)
    stuck = [asyncio.create_task(feed.put(chunk(n), 1)) for n in range(3)]
    await asyncio.sleep(0)
    feed.abandon()
    await asyncio.gather(*stuck)
    await feed.put(chunk(8), 1)
    feed.add(chunk(9))
    feed.end()
    assert [event async for event in feed.events()] == []


async def test_an_error_comes_after_what_was_put() -> None:
    feed = EventFeed(4)
    await feed.put(chunk(0), 1)
    feed.end(RuntimeError("broken"))
    events = feed.events()
    assert await anext(events) == chunk(0)
    with pytest.raises(RuntimeError, match="broken"):
        await anext(events)
