"""Long work takes turns by organisation, few at once, and lets others work between its steps."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from provider_router.use_cases.long_work import LongWork, Slices
from shared.errors import QuotaExceeded


class Workers:
    """Takes turns; notes who works."""

    def __init__(self, work: LongWork) -> None:
        self.work = work
        self.at_work: list[str] = []
        self.most = 0
        self.may_end = asyncio.Event()

    async def work_for(self, org_id: str) -> None:
        async with self.work.turn(org_id):
            self.at_work.append(org_id)
            self.most = max(self.most, len(self.at_work))
            await self.may_end.wait()
            self.at_work.remove(org_id)

    def begin(self, *org_ids: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.work_for(org_id)) for org_id in org_ids]


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_organisation_that_asks_often_keeps_no_other_one_waiting() -> None:
    workers = Workers(LongWork(at_once=2, waiting=2))
    tasks = workers.begin("busy", "busy", "busy", "other")
    await settled()
    assert workers.at_work == ["busy", "other"]
    workers.may_end.set()
    await asyncio.gather(*tasks)
    assert workers.most == 2


async def test_few_work_at_once_whoever_they_are() -> None:
    workers = Workers(LongWork(at_once=2))
    tasks = workers.begin(*(f"org-{number}" for number in range(5)))
    await settled()
    assert workers.at_work == ["org-0", "org-1"]
    workers.may_end.set()
    await asyncio.gather(*tasks)
    assert workers.most == 2


async def test_who_has_too_many_waiting_is_refused_and_told_when_to_come_back() -> None:
    workers = Workers(LongWork(at_once=2, waiting=1))
    tasks = workers.begin("busy", "busy")
    await settled()
    with pytest.raises(QuotaExceeded) as caught:
        await workers.work_for("busy")
    assert (caught.value.reason, caught.value.retry_after_s) == ("RATE_LIMITED", 5.0)
    workers.may_end.set()
    await asyncio.gather(*tasks)
    await workers.work_for("busy")


async def test_who_leaves_the_line_gives_up_its_place() -> None:
    work = LongWork(at_once=1, waiting=1)
    workers = Workers(work)
    first, second = workers.begin("busy", "busy")
    await settled()
    for task in (second, first):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    workers.may_end.set()
    await asyncio.wait_for(workers.work_for("busy"), 1)
    assert not work._lines


async def test_others_work_at_least_half_of_the_time() -> None:
    worked_s, turns = 0.0, 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    slices, began_s = Slices(), time.monotonic()
    for _ in range(40):
        step_s = time.monotonic()
        while time.monotonic() - step_s < 0.001:
            pass
        worked_s += time.monotonic() - step_s
        await slices.rest()
    assert time.monotonic() - began_s >= 1.8 * worked_s
    assert turns > 40
    task.cancel()
