"""What every ledger does with budgets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from router_money_fakes import ANN, BOB, EVE, closing, daily, monthly, opening

from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.budget import Scope
from provider_router.ports.ledger import Ledger
from shared.errors import QuotaExceeded

JUST_BEFORE_MIDNIGHT = datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)
AFTER_MIDNIGHT = JUST_BEFORE_MIDNIGHT + timedelta(seconds=5)


async def amounts(ledger: Ledger, caller: Caller = ANN, conversation_id: str = "") -> list[tuple[int, int]]:
    statuses = await ledger.budgets(caller, conversation_id)
    return [(each.spent_micro_usd, each.reserved_micro_usd) for each in statuses]


async def test_without_budgets_nothing_is_refused_and_none_is_listed(ledger: Ledger) -> None:
    await ledger.open(opening(reserved_micro_usd=10**15))
    assert list(await ledger.budgets(ANN, "")) == []


async def test_the_limit_itself_may_be_spent_and_not_one_more(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(300)]
    await ledger.open(opening("a1", reserved_micro_usd=200))
    await ledger.open(opening("a2", reserved_micro_usd=100))
    with pytest.raises(QuotaExceeded, match="BUDGET_EXHAUSTED"):
        await ledger.open(opening("a3", reserved_micro_usd=1))
    assert await amounts(ledger) == [(0, 300)]


async def test_a_refusal_says_what_is_short_and_until_when(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(300)]
    await ledger.open(opening("a1", reserved_micro_usd=200))
    await ledger.close(closing("a1", cost_micro_usd=150))
    await ledger.open(opening("a2", reserved_micro_usd=90))
    with pytest.raises(QuotaExceeded) as caught:
        await ledger.open(opening("a3", reserved_micro_usd=70))
    assert caught.value.metadata == {
        "scope": "organisation",
        "subject": "acme",
        "period": "month",
        "limit_micro_usd": "300",
        "spent_micro_usd": "150",
        "reserved_micro_usd": "90",
        "needed_micro_usd": "70",
        "short_micro_usd": "10",
        "reset_time": "2026-12-01T00:00:00Z",
    }
    assert caught.value.retry_after_s == 10.5 * 86400
    assert [e.opening.attempt_id for e in await ledger.entries("acme")] == ["a1", "a2"]


async def test_a_settlement_frees_what_was_not_used_and_counts_what_was(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(300)]
    await ledger.open(opening("a1", reserved_micro_usd=300))
    await ledger.close(closing("a1", cost_micro_usd=60))
    await ledger.close(closing("a1", cost_micro_usd=300))
    assert await amounts(ledger) == [(60, 0)]
    await ledger.open(opening("a2", reserved_micro_usd=240))
    await ledger.close(closing("a2", outcome=Outcome.FAILED, cost_micro_usd=0))
    assert await amounts(ledger) == [(60, 0)]


async def test_what_cost_more_than_reserved_is_counted_in_full(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(300)]
    await ledger.open(opening("a1", reserved_micro_usd=100))
    await ledger.close(closing("a1", cost_micro_usd=450))
    (status,) = await ledger.budgets(ANN, "")
    assert (status.spent_micro_usd, status.left_micro_usd) == (450, 0)
    with pytest.raises(QuotaExceeded) as caught:
        await ledger.open(opening("a2", reserved_micro_usd=1))
    assert caught.value.metadata["short_micro_usd"] == "151"


async def test_what_costs_nothing_passes_an_exhausted_budget_and_is_counted_when_it_costs(
    ledger: Ledger, routers
) -> None:
    routers.book.budgets = [monthly(300)]
    await ledger.open(opening("a1", reserved_micro_usd=300))
    await ledger.close(closing("a1", cost_micro_usd=301))
    await ledger.open(opening("a2", reserved_micro_usd=0))
    await ledger.close(closing("a2", cost_micro_usd=9))
    assert await amounts(ledger) == [(310, 0)]


async def test_all_budgets_are_reserved_or_none(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(1000), monthly(150, Scope.USER, "bob"), monthly(500, Scope.CONVERSATION)]
    await ledger.open(opening("a1", conversation_id="c1"))
    await ledger.open(opening("a2", caller=BOB, conversation_id="c2"))
    with pytest.raises(QuotaExceeded) as caught:
        await ledger.open(opening("a3", caller=BOB, conversation_id="c1"))
    assert (caught.value.metadata["scope"], caught.value.metadata["subject"]) == ("user", "bob")
    assert await amounts(ledger, BOB, "c1") == [(0, 100), (0, 100), (0, 200)]


async def test_each_scope_counts_its_own_and_star_gives_each_its_own(ledger: Ledger, routers) -> None:
    routers.book.budgets = [
        monthly(10_000),
        monthly(9_000, Scope.KEY),
        monthly(8_000, Scope.USER),
        monthly(7_000, Scope.CONVERSATION),
    ]
    other_key = Caller("acme", "ann", "key-9")
    await ledger.open(opening("a1", conversation_id="c1", reserved_micro_usd=1))
    await ledger.open(opening("a2", conversation_id="c2", reserved_micro_usd=20))
    await ledger.open(opening("a3", caller=other_key, reserved_micro_usd=300))
    await ledger.open(opening("a4", caller=BOB, conversation_id="c1", reserved_micro_usd=4000))
    await ledger.open(opening("a5", caller=EVE, conversation_id="c1", reserved_micro_usd=5))
    statuses = await ledger.budgets(ANN, "c1")
    assert {each.scope: each.reserved_micro_usd for each in statuses} == {
        Scope.ORGANISATION: 4321,
        Scope.KEY: 21,
        Scope.USER: 321,
        Scope.CONVERSATION: 4001,
    }
    assert {each.subject for each in statuses} == {"acme", "key-1", "ann", "c1"}
    # The same user id and conversation id in another organisation are other ones.
    assert {each.reserved_micro_usd for each in await ledger.budgets(EVE, "c1")} == {5}


async def test_a_caller_without_key_or_conversation_has_no_such_budget(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(50, Scope.KEY), monthly(50, Scope.CONVERSATION)]
    await ledger.open(opening(caller=Caller("acme", "ann")))
    assert list(await ledger.budgets(Caller("acme", "ann"), "")) == []


async def test_the_tightest_budget_is_the_first(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(500), daily(300), daily(200, Scope.USER)]
    await ledger.open(opening(reserved_micro_usd=50))
    found = [(each.scope, each.left_micro_usd, each.reset_time.day) for each in await ledger.budgets(ANN, "")]
    assert found == [(Scope.USER, 150, 21), (Scope.ORGANISATION, 250, 21), (Scope.ORGANISATION, 450, 1)]


async def test_of_several_short_budgets_the_last_to_start_anew_is_named(ledger: Ledger, routers) -> None:
    routers.book.budgets = [daily(10), monthly(20, Scope.USER), daily(5, Scope.KEY)]
    with pytest.raises(QuotaExceeded) as caught:
        await ledger.open(opening())
    assert (caught.value.metadata["scope"], caught.value.metadata["period"]) == ("user", "month")


async def test_budgets_start_anew_and_a_reservation_is_settled_where_it_was_made(ledger: Ledger, routers) -> None:
    routers.book.budgets = [daily(100), monthly(150)]
    routers.at(JUST_BEFORE_MIDNIGHT)
    await ledger.open(opening("a1", time=JUST_BEFORE_MIDNIGHT, reserved_micro_usd=100))
    with pytest.raises(QuotaExceeded):
        await ledger.open(opening("a2", time=JUST_BEFORE_MIDNIGHT, reserved_micro_usd=1))
    routers.at(AFTER_MIDNIGHT)
    assert await amounts(ledger) == [(0, 0), (0, 0)]
    await ledger.open(opening("a3", time=AFTER_MIDNIGHT, reserved_micro_usd=40))
    await ledger.close(closing("a1", cost_micro_usd=70, time=AFTER_MIDNIGHT))
    assert await amounts(ledger) == [(0, 40), (0, 40)]
    routers.at(JUST_BEFORE_MIDNIGHT)
    await ledger.close(closing("a3", cost_micro_usd=0, time=AFTER_MIDNIGHT))
    assert await amounts(ledger) == [(70, 0), (70, 0)]


async def test_a_month_counts_its_days_and_the_day_its_own(ledger: Ledger, routers) -> None:
    routers.book.budgets = [daily(100), monthly(250)]
    for day in (1, 2, 3):
        await ledger.open(opening(f"a{day}", time=datetime(2026, 11, day, tzinfo=UTC), reserved_micro_usd=80))
        await ledger.close(closing(f"a{day}", cost_micro_usd=80))
    with pytest.raises(QuotaExceeded) as caught:
        await ledger.open(opening("a4", time=datetime(2026, 11, 4, tzinfo=UTC), reserved_micro_usd=11))
    assert (caught.value.metadata["period"], caught.value.metadata["short_micro_usd"]) == ("month", "1")


async def test_a_new_budget_counts_what_was_spent_before_it(ledger: Ledger, routers) -> None:
    await ledger.open(opening("a1"))
    await ledger.close(closing("a1", cost_micro_usd=60))
    await ledger.open(opening("a2"))
    routers.book.budgets = [daily(200, Scope.USER)]
    assert await amounts(ledger) == [(60, 100)]
    with pytest.raises(QuotaExceeded):
        await ledger.open(opening("a3", reserved_micro_usd=41))
    routers.book.budgets = []
    await ledger.open(opening("a4", reserved_micro_usd=1000))
    routers.book.budgets = [daily(1200, Scope.USER)]
    assert await amounts(ledger) == [(60, 1100)]


async def test_a_thousand_calls_at_once_never_overspend_and_leave_nothing_reserved(ledger: Ledger, routers) -> None:
    routers.book.budgets = [monthly(10_000), daily(9_990, Scope.USER)]
    tops: list[int] = []

    async def call(n: int) -> str:
        try:
            await ledger.open(opening(f"a{n}", reserved_micro_usd=100))
        except QuotaExceeded:
            return "refused"
        await asyncio.sleep(0)
        statuses = await ledger.budgets(ANN, "")
        tops.append(max(s.spent_micro_usd + s.reserved_micro_usd - s.limit_micro_usd for s in statuses))
        outcome = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.ABORTED, Outcome.OUTRACED)[n % 4]
        await ledger.close(closing(f"a{n}", outcome=outcome, cost_micro_usd=(n * 37) % 101))
        return "made"

    outcomes = await asyncio.gather(*(call(n) for n in range(1000)))
    assert max(tops) <= 0
    assert {"made", "refused"} == set(outcomes)
    spent = sum(e.closing.cost_micro_usd for e in await ledger.entries("acme", limit=1000) if e.closing)
    assert await amounts(ledger) == [(spent, 0)] * 2
