"""What every ledger does with the attempts of routers that died."""

from __future__ import annotations

from datetime import timedelta

from router_money_fakes import ANN, NOON, closing, daily, monthly, opening

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.money.attempt import Outcome


async def test_attempts_of_a_dead_router_are_lost_at_what_was_reserved(routers) -> None:
    routers.book.budgets = [monthly(1000)]
    dead = await routers.started("dead")
    await dead.open(opening("a1", reserved=TokenUsage(7, 8), reserved_micro_usd=300))
    await dead.open(opening("a2", reserved_micro_usd=200))
    await dead.close(closing("a2", cost_micro_usd=20))
    routers.killed("dead")
    ledger = await routers.started("next")
    routers.at(NOON + timedelta(hours=1))
    assert await ledger.recover() == 1
    assert await ledger.recover() == 0
    lost, kept = await ledger.entries("acme")
    assert lost.closing == closing(
        "a1",
        outcome=Outcome.LOST,
        usage=TokenUsage(7, 8),
        estimated=True,
        cost_micro_usd=300,
        first_token_ms=None,
        duration_ms=0,
        time=NOON + timedelta(hours=1),
    )
    assert kept.closing == closing("a2", cost_micro_usd=20)
    (status,) = await ledger.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (320, 0)


async def test_attempts_of_routers_that_live_are_left_alone(routers) -> None:
    routers.book.budgets = [monthly(1000)]
    one, two, dead = [await routers.started(name) for name in ("one", "two", "dead")]
    for name, ledger in (("a1", one), ("a2", two), ("a3", dead)):
        await ledger.open(opening(name))
    routers.killed("dead")
    assert await one.recover() == 1
    assert await two.recover() == 0
    await two.close(closing("a2", cost_micro_usd=5))
    found = [entry.closing and entry.closing.outcome for entry in await one.entries("acme")]
    assert found == [None, Outcome.SUCCEEDED, Outcome.LOST]
    (status,) = await one.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (105, 100)


async def test_a_late_closing_of_a_lost_attempt_changes_nothing(routers) -> None:
    routers.book.budgets = [daily(1000)]
    dead, ledger = await routers.started("dead"), await routers.started("next")
    await dead.open(opening())
    routers.killed("dead")
    await ledger.recover()
    await dead.close(closing(cost_micro_usd=1))
    (status,) = await ledger.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (100, 0)


async def test_many_lost_attempts_are_all_recovered(routers) -> None:
    dead, ledger = await routers.started("dead"), await routers.started("next")
    for n in range(1203):
        await dead.open(opening(f"a{n}"))
    routers.killed("dead")
    assert await ledger.recover() == 1203
