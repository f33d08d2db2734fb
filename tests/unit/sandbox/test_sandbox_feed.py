from __future__ import annotations

import asyncio

import pytest

from sandbox_service.adapters.namespaces.feed import EventFeed
from sandbox_service.domain.run_event import OutputChunk, RunEvent, Stream


def chunk(number: int) -> RunEvent:
    return OutputChunk(Stream.STDOUT, bytes([number]))


async def test_who_puts_waits_for_who_reads() -> None:
    feed = EventFeed(2)
    await feed.put(chunk(0))
    await feed.put(chunk(1))
    third = asyncio.create_task(feed.put(chunk(2)))
    await asyncio.sleep(0)
    assert not third.done()
    events = feed.events()
    assert await anext(events) == chunk(0)
    await third
    feed.end()
    assert [event async for event in events] == [chunk(1), chunk(2)]


async def test_an_abandoned_feed_takes_everything_and_keeps_nothing() -> None:
    feed = EventFeed(1)
    await feed.put(chunk(0))
    stuck = [asyncio.create_task(feed.put(chunk(n))) for n in range(3)]
    await asyncio.sleep(0)
    feed.abandon()
    await asyncio.gather(*stuck)
    await feed.put(chunk(9))
    feed.end()
    assert [event async for event in feed.events()] == []


async def test_an_error_comes_after_what_was_put() -> None:
    feed = EventFeed(4)
    await feed.put(chunk(0))
    feed.end(RuntimeError("broken"))
    events = feed.events()
    assert await anext(events) == chunk(0)
    with pytest.raises(RuntimeError, match="broken"):
        await anext(events)
