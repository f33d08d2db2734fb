"""Attempts that are written together: what one of them comes to is no matter of who else is in the batch."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from router_money_fakes import ANN, NOON, closing, daily, opening
from test_ledger_sqlite import assert_sums_agree, rows_of

from provider_router.domain.money.attempt import Outcome
from shared.errors import QuotaExceeded
from shared.storage import GroupCommit


@pytest.fixture
def path(sqlite_routers: Any) -> Path:
    return sqlite_routers._path


async def together(writer: GroupCommit, *made: Any) -> list[Any]:
    """Has the operations in one batch, in their order."""
    held = threading.Event()
    busy = writer.run(lambda _: held.wait(5))
    await asyncio.sleep(0)
    tasks = [asyncio.ensure_future(each) for each in made]
    for _ in range(3):
        await asyncio.sleep(0)
    held.set()
    await busy
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_refusals_in_the_middle_leave_no_trace_and_the_rest_fits_exactly(sqlite_routers: Any, path: Path) -> None:
    sqlite_routers.book.budgets = [daily(250)]
    ledger, writer = await sqlite_routers.started(), sqlite_routers.writers["r1"]
    costs = (100, 200, 100, 60, 50)
    found = await together(
        writer, *(ledger.open(opening(f"a{n}", reserved_micro_usd=cost)) for n, cost in enumerate(costs))
    )
    assert [isinstance(each, QuotaExceeded) for each in found] == [False, True, False, True, False]
    entries = await ledger.entries("acme")
    assert [(each.sequence, each.opening.attempt_id) for each in entries] == [(1, "a0"), (2, "a2"), (3, "a4")]
    assert_sums_agree(path)


async def test_a_closing_makes_room_for_the_opening_after_it(sqlite_routers: Any, path: Path) -> None:
    sqlite_routers.book.budgets = [daily(100)]
    ledger, writer = await sqlite_routers.started(), sqlite_routers.writers["r1"]
    await ledger.open(opening("a1"))
    found = await together(
        writer,
        ledger.open(opening("a2", reserved_micro_usd=40)),
        ledger.close(closing("a1", cost_micro_usd=60)),
        ledger.open(opening("a3", reserved_micro_usd=40)),
    )
    assert [isinstance(each, QuotaExceeded) for each in found] == [True, False, False]
    assert_sums_agree(path)


async def test_one_attempt_in_one_batch_is_opened_once_and_closed_once(sqlite_routers: Any, path: Path) -> None:
    sqlite_routers.book.budgets = [daily(100)]
    ledger, writer = await sqlite_routers.started(), sqlite_routers.writers["r1"]
    found = await together(
        writer,
        ledger.open(opening("a1")),
        ledger.open(opening("a1")),
        ledger.close(closing("a1", cost_micro_usd=30)),
        ledger.close(closing("a1", cost_micro_usd=90)),
        ledger.open(opening("a1")),
    )
    assert found == [None] * 5
    (entry,) = await ledger.entries("acme")
    assert entry.closing is not None
    assert entry.closing.cost_micro_usd == 30
    (status,) = await ledger.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (30, 0)
    assert_sums_agree(path)


async def test_what_another_router_opened_is_there_already_whatever_comes_with_it(
    sqlite_routers: Any, path: Path
) -> None:
    one, two = await sqlite_routers.started("r1"), await sqlite_routers.started("r2")
    await one.open(opening("a2"))
    found = await together(
        sqlite_routers.writers["r2"],
        *(two.open(opening(f"a{n}")) for n in range(1, 4)),
        two.close(closing("a2", cost_micro_usd=7)),
        two.close(closing("a3", cost_micro_usd=8)),
    )
    assert found == [None] * 5
    numbered = rows_of(path, "SELECT sequence, attempt_id, cost_micro_usd FROM ledger_attempts ORDER BY 1")
    assert numbered == [(1, "a2", 7), (2, "a1", 0), (3, "a3", 8)]
    assert_sums_agree(path)


async def test_what_another_router_settled_is_settled_no_second_time(sqlite_routers: Any, path: Path) -> None:
    sqlite_routers.book.budgets = [daily(1000)]
    one, two = await sqlite_routers.started("r1"), await sqlite_routers.started("r2")
    for n in range(4):
        await one.open(opening(f"a{n}"))
    await two.close(closing("a1", cost_micro_usd=11))
    await two.close(closing("a2", outcome=Outcome.LOST, cost_micro_usd=100))
    found = await together(
        sqlite_routers.writers["r1"], *(one.close(closing(f"a{n}", cost_micro_usd=20)) for n in range(4))
    )
    assert found == [None] * 4
    sqlite_routers.at(NOON)
    costs = [each.closing and each.closing.cost_micro_usd for each in await one.entries("acme")]
    assert costs == [20, 11, 100, 20]
    (status,) = await one.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (151, 0)
    assert_sums_agree(path)


async def test_budgets_that_were_seen_lately_need_no_look_and_hold_what_this_router_did(sqlite_routers: Any) -> None:
    sqlite_routers.book.budgets = [daily(1000)]
    ledger, writer = await sqlite_routers.started(), sqlite_routers.writers["r1"]
    await ledger.open(opening("a1"))
    held = threading.Event()
    busy = writer.run(lambda _: held.wait(5))
    await asyncio.sleep(0)
    (status,) = await asyncio.wait_for(ledger.budgets(ANN, "", max_age_s=60), 1)
    assert status.reserved_micro_usd == 100
    exact = asyncio.ensure_future(ledger.budgets(ANN, ""))
    held.set()
    await busy
    assert await exact == [status]
