"""A provider that says what it charges is believed, in the answer, the row and the budget alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_answer_rig import QUESTION, Rig
from router_fakes import FakeChatModel, service_of

from provider_router.domain.calls.chat import CallersBody, FinishReason
from provider_router.domain.calls.events import Finished, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Privacy
from provider_router.domain.contracts.dialect import Dialect

USED = TokenUsage(10, 2)


async def unpriced(end: Finished, *, on_premises: bool = False) -> tuple[int, bool]:
    """What is said of the cost of an answer whose contract has no price."""
    service = service_of("one/m", privacy=Privacy(on_premises=on_premises))
    rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), end])}, service)
    completed = (await rig.events())[-1]
    assert rig.rows[0].cost_is_unknown is completed.cost_unknown
    return completed.cost_micro_usd, completed.cost_unknown


async def test_what_nobody_knows_the_price_of_costs_an_unknown_amount_unless_its_provider_says() -> None:
    assert await unpriced(Finished(FinishReason.STOP, USED)) == (0, True)
    assert await unpriced(Finished(FinishReason.STOP, USED, billed_micro_usd=7)) == (7, False)
    assert await unpriced(Finished(FinishReason.STOP, USED), on_premises=True) == (0, False)


async def cost_of(end: Finished) -> int:
    rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), end])})
    completed = (await rig.events())[-1]
    closing = rig.rows[0].closing
    assert completed.cost_micro_usd == closing.cost_micro_usd
    assert closing.usage == USED
    assert rig.nothing_is_held()
    return closing.cost_micro_usd


async def test_the_bill_holds_instead_of_the_price() -> None:
    assert await cost_of(Finished(FinishReason.STOP, USED)) == 14
    assert await cost_of(Finished(FinishReason.STOP, USED, billed_micro_usd=7870)) == 7870
    assert await cost_of(Finished(FinishReason.STOP, USED, billed_micro_usd=0)) == 0


@pytest.mark.parametrize(
    ("told", "charged"),
    [
        (USED, USED),
        (TokenUsage(10, 2, 8, 1, 2), TokenUsage(10, 2, 8, 1, 2)),
        # The prompt is a token by the router's own count, the answer a word; 4,096 may be generated.
        (None, TokenUsage(1, 1)),
        (TokenUsage(), TokenUsage(1, 1)),
        (TokenUsage(0, 5), TokenUsage(1, 1)),
        (TokenUsage(5, 0), TokenUsage(1, 1)),
        (TokenUsage(10**12, 7), TokenUsage(10_008, 7)),
        (TokenUsage(7, 10**12), TokenUsage(7, 42_768)),
        (TokenUsage(10**6, 10**6, 10**6, 10**6, 10**6), TokenUsage(10_008, 42_768, 10_008, 42_768, 0)),
        (TokenUsage(20_000, 1, 9_000, 0, 9_000), TokenUsage(10_008, 1, 9_000, 0, 1_008)),
    ],
)
async def test_no_more_is_charged_than_can_be_and_something_where_something_came(
    told: TokenUsage | None, charged: TokenUsage
) -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), Finished(FinishReason.STOP, told)])})
    completed = (await rig.events())[-1]
    closing = rig.rows[0].closing
    assert (closing.usage, closing.estimated) == (charged, charged is not told and charged != told)
    assert closing.cost_micro_usd == completed.cost_micro_usd == charged.input_tokens + 2 * charged.output_tokens
    assert rig.nothing_is_held()


async def test_no_bill_is_paid_that_cannot_be() -> None:
    bound = Rig({"one/m": FakeChatModel()})
    await bound.events()
    most = 8 * bound.rows[0].opening.reserved_micro_usd + 10_000_000
    for billed, cost, estimated in ((most, most, False), (most + 1, 14, True)):
        end = Finished(FinishReason.STOP, USED, billed_micro_usd=billed)
        rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), end])})
        await rig.events()
        assert (rig.rows[0].closing.cost_micro_usd, rig.rows[0].closing.estimated) == (cost, estimated)


async def test_choices_that_nobody_counted_are_taken_to_be_as_long_as_the_first() -> None:
    used: list[int] = []
    for choices in (1, 8):
        rig = Rig({"one/m": FakeChatModel([TextDelta("Hello there"), TextDelta("!")])})
        stream = rig.stream(replace(QUESTION, choices=choices, body=CallersBody(Dialect.OPENAI_CHAT, {})))
        async for event in stream:
            if isinstance(event, TextDelta):
                break
        await stream.aclose()
        used.append(rig.rows[0].closing.usage.output_tokens)
    assert used[0] > 0
    assert used[1] == 8 * used[0]
