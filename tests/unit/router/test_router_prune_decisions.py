"""Old records go step by step, and a store that cannot be written is tried again."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from router_decision_fakes import FakeDecisionLog, decided_in, world_of
from router_decisions import NOW, decision_for

from provider_router.use_cases.prune_decisions import PruneDecisions, Retention
from shared.errors import UpstreamDown
from shared.server import supervised
from shared.testing.fakes import FakeClock

WORLD = world_of()


async def filled(count: int) -> FakeDecisionLog:
    log = FakeDecisionLog()
    for number in range(count):
        time = NOW + timedelta(minutes=number)
        await log.append(f"d-{number}", decided_in(WORLD, decision_for("org-a", time=time)), WORLD)
    return log


@pytest.mark.parametrize(
    ("age_minutes", "count", "kept"), [(10, 500, 10), (10_000, 3, 3), (10_000, 500, 250), (0, 9, 0)]
)
async def test_what_is_too_old_or_too_much_goes(age_minutes: int, count: int, kept: int) -> None:
    log = await filled(250)
    clock = FakeClock(NOW + timedelta(minutes=250))
    prune = PruneDecisions(log, clock, Retention(timedelta(minutes=age_minutes), count))
    assert await prune() == 250 - kept
    assert [each.sequence for each in log.records["org-a"]] == list(range(251 - kept, 251))


async def test_it_goes_on_after_a_failure() -> None:
    log = await filled(2)
    steps = [UpstreamDown("STORAGE_BUSY", "Busy."), 0, 0]

    async def step(**_: object) -> int:
        outcome = steps.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    log.prune = step
    prune = PruneDecisions(log, FakeClock(), Retention(timedelta(1), 1, every_s=0))
    watching = asyncio.create_task(supervised("pruning", prune.watch, sleep=lambda _: asyncio.sleep(0))())
    async with asyncio.timeout(1):
        while len(steps) > 1:
            await asyncio.sleep(0)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
