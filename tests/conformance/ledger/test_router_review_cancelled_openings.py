"""Whoever leaves while the ledger writes leaves no reservation behind, whichever write was under way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from router_answer_rig import CALLER, PRICES, KeptEntries, RecordingRateLimiter
from router_answer_rig import FakeObserver as Observer
from router_fakes import FakeDeployments, service_of
from router_money_fakes import closing, daily, opening

from provider_router.adapters.call_opener_stepwise import StepwiseCallOpener
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.money.attempt import Outcome
from provider_router.use_cases.attempt_desk import AttemptDesk, AttemptOrder, Ports
from shared.errors import UpstreamDown
from shared.storage import GroupCommit, Notebook
from shared.testing.fakes import FakeClock, SequenceIds

ORDER = AttemptOrder(CALLER, service_of("one/m", prices=PRICES), Operation.CHAT, 10, 20, 30)


class Held:
    """Keeps the writer's thread busy until it is let go, so that what is queued stays queued."""

    def __init__(self, writer: GroupCommit) -> None:
        self._let_go = threading.Event()
        self._future = writer.run(lambda _: self._let_go.wait(5))

    async def let_go(self) -> None:
        self._let_go.set()
        await self._future


async def test_a_caller_who_leaves_while_its_opening_is_queued_reserves_nothing(
    sqlite_routers: Any,
) -> None:
    sqlite_routers.book.budgets = [daily(1_000)]
    ledger = await sqlite_routers.started()
    deployments, clock = FakeDeployments(), FakeClock()
    limiter = RecordingRateLimiter(clock)
    opener = StepwiseCallOpener(KeptEntries(), limiter, ledger)
    ports = Ports(deployments, limiter, opener, ledger, Observer(), clock, SequenceIds("attempt"))
    writer = sqlite_routers.writers["r1"]
    held = Held(writer)
    opens = asyncio.create_task(AttemptDesk(ports).open(ORDER))
    await asyncio.sleep(0)
    opens.cancel()
    await asyncio.sleep(0)
    await held.let_go()
    with pytest.raises(asyncio.CancelledError):
        await opens
    await writer.run(lambda _: None)
    (row,) = await ledger.entries(CALLER.org_id)
    assert row.closing is not None
    assert (row.closing.outcome, row.closing.cost_micro_usd) == (Outcome.ABORTED, 0)
    sqlite_routers.at(row.opening.time)
    (budget,) = await ledger.budgets(CALLER, "")
    assert (budget.reserved_micro_usd, budget.spent_micro_usd) == (0, 0)
    assert deployments.out == []


async def test_a_closing_that_is_cancelled_and_then_cannot_be_written_is_kept(
    sqlite_routers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await sqlite_routers.started()
    await ledger.open(opening())
    writer = sqlite_routers.writers["r1"]
    note, refused = writer.note, asyncio.Event()

    def full() -> None:
        raise UpstreamDown("STORAGE_FULL", "The disk is full.")

    def failing(_noting: object, *notebooks: Notebook, failed: Callable[[Exception], None]) -> asyncio.Future:
        refused.set()
        return note(full, *notebooks, failed=failed)

    held = Held(writer)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "note", failing)
        closes = asyncio.create_task(ledger.close(closing()))
        await refused.wait()
        closes.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closes
    await held.let_go()
    await writer.run(lambda _: None)
    await asyncio.sleep(0)
    await ledger.recover()
    (row,) = await ledger.entries("acme")
    assert row.closing == closing()
