"""What every ledger does with attempts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from router_money_fakes import ANN, EVE, NOON, closing, opening

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import UNKNOWN_PRICE, Operation
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.model_usage import ModelUsage
from provider_router.ports.ledger import Ledger

FULL = opening(
    caller=replace(ANN, roles=("admin",)),
    conversation_id="c1",
    operation=Operation.EMBED,
    number=3,
    streamed=False,
    hedge=True,
    reserved=TokenUsage(1, 2, 3, 4, 5),
    time=NOON + timedelta(microseconds=7),
)


async def test_an_attempt_is_there_from_its_opening_on(ledger: Ledger) -> None:
    await ledger.open(FULL)
    (entry,) = await ledger.entries("acme")
    assert entry.opening == replace(FULL, caller=ANN)
    assert entry.closing is None


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.OPEN])
async def test_a_closing_is_kept_whole(ledger: Ledger, outcome: Outcome) -> None:
    ended = closing(outcome=outcome, reason="STREAM_BROKEN", estimated=True, first_token_ms=None, duration_ms=1)
    await ledger.open(FULL)
    await ledger.close(ended)
    (entry,) = await ledger.entries("acme")
    assert entry.closing == ended


async def test_opening_twice_is_opening_once_and_the_first_closing_counts(ledger: Ledger) -> None:
    await ledger.open(opening())
    await ledger.open(opening(service="other/m"))
    await ledger.close(closing())
    await ledger.close(closing(cost_micro_usd=999, outcome=Outcome.FAILED))
    await ledger.open(opening())
    (entry,) = await ledger.entries("acme")
    assert (entry.opening, entry.closing) == (opening(), closing())


async def test_closing_what_was_never_opened_does_nothing(ledger: Ledger) -> None:
    await ledger.close(closing("unknown"))
    assert list(await ledger.entries("acme")) == []


async def test_rows_are_listed_by_sequence_in_pages_and_by_decision(ledger: Ledger) -> None:
    for n in range(1, 8):
        await ledger.open(opening(f"a{n}", decision_id="odd" if n % 2 else "even"))
        await ledger.open(opening(f"e{n}", caller=EVE, decision_id="odd"))
    found = await ledger.entries("acme", limit=4)
    assert [e.opening.attempt_id for e in found] == ["a1", "a2", "a3", "a4"]
    found = await ledger.entries("acme", after_sequence=found[-1].sequence, limit=4)
    assert [e.opening.attempt_id for e in found] == ["a5", "a6", "a7"]
    assert list(await ledger.entries("acme", after_sequence=found[-1].sequence)) == []
    found = await ledger.entries("acme", decision_id="odd")
    assert [e.opening.attempt_id for e in found] == ["a1", "a3", "a5", "a7"]
    found = await ledger.entries("acme", newest_first=True, limit=3)
    assert [e.opening.attempt_id for e in found] == ["a7", "a6", "a5"]
    found = await ledger.entries("acme", after_sequence=found[-1].sequence, newest_first=True, decision_id="even")
    assert [e.opening.attempt_id for e in found] == ["a4", "a2"]


async def test_rows_are_numbered_within_their_organisation_which_says_nothing_of_others(ledger: Ledger) -> None:
    for n in range(1, 4):
        await ledger.open(opening(f"a{n}"))
        await ledger.open(opening(f"e{n}", caller=EVE))
    await ledger.open(opening("a3"))
    for org_id in ("acme", EVE.org_id):
        assert [e.sequence for e in await ledger.entries(org_id)] == [1, 2, 3]


async def test_usage_is_summed_up_by_model_of_one_organisation_in_a_time(ledger: Ledger) -> None:
    for n, (service, cost) in enumerate((("cheap/m", 5), ("dear/m", 70), ("dear/m", 80), ("early/m", 1))):
        at = NOON - timedelta(microseconds=1) if service == "early/m" else NOON
        await ledger.open(opening(f"a{n}", service=service, time=at))
        outcome = Outcome.FAILED if cost == 80 else Outcome.SUCCEEDED
        await ledger.close(closing(f"a{n}", cost_micro_usd=cost, outcome=outcome, estimated=cost == 80))
    await ledger.open(opening("open"))
    await ledger.open(opening("late", time=NOON + timedelta(hours=1)))
    await ledger.close(closing("late"))
    await ledger.open(opening("evil", caller=EVE))
    await ledger.close(closing("evil"))
    assert list(await ledger.summary("acme", NOON, NOON + timedelta(hours=1))) == [
        ModelUsage("dear/m", 2, 1, TokenUsage(20, 10, 8, 6, 4), 150, 1),
        ModelUsage("cheap/m", 1, 1, TokenUsage(10, 5, 4, 3, 2), 5, 0),
    ]
    assert list(await ledger.summary("nobody", NOON, NOON + timedelta(hours=1))) == []


async def test_what_nobody_knows_the_price_of_is_counted(ledger: Ledger) -> None:
    unknown = {"service": "odd/m", "price_version": UNKNOWN_PRICE}
    await ledger.open(opening("used", **unknown))
    await ledger.close(closing("used", cost_micro_usd=0))
    await ledger.open(opening("unused", **unknown))
    await ledger.close(closing("unused", cost_micro_usd=0, usage=TokenUsage(), outcome=Outcome.FAILED))
    await ledger.open(opening("billed", **unknown))  # its provider said what it charges
    await ledger.close(closing("billed", cost_micro_usd=7))
    await ledger.open(opening("free", service="odd/m", price_version=""))
    await ledger.close(closing("free", cost_micro_usd=0))
    (usage,) = await ledger.summary("acme", NOON, NOON + timedelta(hours=1))
    assert (usage.attempts, usage.cost_micro_usd, usage.cost_unknown) == (4, 7, 1)
    assert [entry.cost_is_unknown for entry in await ledger.entries("acme")] == [True, False, False, False]


async def test_texts_of_callers_are_data(ledger: Ledger) -> None:
    odd = "'; DROP TABLE ledger_attempts; -- %_*\u0000日"
    await ledger.open(opening(caller=Caller(odd, odd, odd), conversation_id=odd, decision_id=odd, service=odd))
    (entry,) = await ledger.entries(odd, decision_id=odd)
    assert entry.opening.conversation_id == odd


async def test_an_opening_that_is_cancelled_and_then_closed_leaves_nothing_open(ledger: Ledger) -> None:
    for n in range(20):
        task = asyncio.create_task(ledger.open(opening(f"a{n}")))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ledger.close(closing(f"a{n}", outcome=Outcome.ABORTED, cost_micro_usd=0))
    assert all(entry.closing is not None for entry in await ledger.entries("acme"))
