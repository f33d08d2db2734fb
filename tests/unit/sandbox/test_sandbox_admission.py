from __future__ import annotations

import asyncio

import pytest

from sandbox_service.use_cases.admit_run import AdmitRun
from shared.errors import QuotaExceeded


async def test_as_many_as_there_are_places_run_and_the_next_waits() -> None:
    admit = AdmitRun(places=2, queue=1)
    first, _second = await admit(), await admit()
    third = asyncio.create_task(admit())
    await asyncio.sleep(0)
    assert not third.done()
    first()
    assert callable(await third)


async def test_beyond_the_queue_callers_are_sent_away() -> None:
    admit = AdmitRun(places=1, queue=1)
    await admit()
    waiting = asyncio.create_task(admit())
    await asyncio.sleep(0)
    with pytest.raises(QuotaExceeded) as caught:
        await admit()
    assert caught.value.reason == "SANDBOX_BUSY"
    assert caught.value.retry_after_s
    waiting.cancel()


async def test_a_caller_that_gives_up_waiting_frees_its_place_in_the_queue() -> None:
    admit = AdmitRun(places=1, queue=1)
    give_back = await admit()
    waiting = asyncio.create_task(admit())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    again = asyncio.create_task(admit())
    await asyncio.sleep(0)
    give_back()
    assert callable(await again)


async def test_giving_back_twice_makes_no_second_place() -> None:
    admit = AdmitRun(places=1, queue=0)
    give_back = await admit()
    give_back()
    give_back()
    await admit()
    with pytest.raises(QuotaExceeded):
        await admit()
