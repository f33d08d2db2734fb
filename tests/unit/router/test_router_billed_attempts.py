"""A provider that says what it charges is believed, in the answer, the row and the budget alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_answer_rig import PRICES, QUESTION, Rig
from router_fakes import FakeChatModel, service_of

from provider_router.domain.calls.chat import CallersBody, FinishReason
from provider_router.domain.calls.events import Finished, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Privacy
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.service import Service

USED = TokenUsage(10, 2)
LONG = service_of("one/m", prices=PRICES, context_length=1_000_000, max_output_tokens=4_096)


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
        # A file by address of many pages, which the router knew nothing of, and eight full contexts.
        (TokenUsage(900_000, 7), TokenUsage(900_000, 7)),
        (TokenUsage(8_010_000, 7), TokenUsage(8_010_000, 7)),
        (TokenUsage(8_010_001, 7), TokenUsage(8_010_000, 7)),
        (TokenUsage(7, 10**12), TokenUsage(7, 42_768)),
        (TokenUsage(10**7, 10**6, 10**7, 10**6, 10**7), TokenUsage(8_010_000, 42_768, 8_010_000, 42_768, 0)),
        (TokenUsage(10**7, 1, 8_000_000, 0, 9_000_000), TokenUsage(8_010_000, 1, 8_000_000, 0, 10_000)),
    ],
)
async def test_no_more_is_charged_than_can_be_and_something_where_something_came(
    told: TokenUsage | None, charged: TokenUsage
) -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), Finished(FinishReason.STOP, told)])}, LONG)
    completed = (await rig.events())[-1]
    closing = rig.rows[0].closing
    assert (closing.usage, closing.estimated) == (charged, charged is not told and charged != told)
    assert closing.cost_micro_usd == completed.cost_micro_usd == charged.input_tokens + 2 * charged.output_tokens
    assert rig.nothing_is_held()


@pytest.mark.parametrize(
    ("service", "most"),
    [
        # The most tokens that are believed, at a dollar and two a million; and ten dollars.
        (LONG, 8_010_000 + 2 * 42_768 + 10_000_000),
        # Of a model whose context nobody knows, and of one whose price.
        (service_of("one/m", prices=PRICES), 16_010_000 + 2 * 42_768 + 10_000_000),
        (service_of("one/m", context_length=1_000_000, max_output_tokens=4_096), 10_000_000),
    ],
)
async def test_no_bill_is_paid_that_cannot_be(service: Service, most: int) -> None:
    for billed in (most, most + 1):
        end = Finished(FinishReason.STOP, USED, billed_micro_usd=billed)
        rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), end])}, service)
        await rig.events()
        at_its_price = 14 if service.contract.prices else 0
        closing = rig.rows[0].closing
        paid = (billed, False) if billed <= most else (at_its_price, True)
        assert (closing.cost_micro_usd, closing.estimated) == paid


async def test_the_tokens_that_a_model_of_unknown_context_may_have_read() -> None:
    for told, charged in ((16_010_000, 16_010_000), (10**12, 16_010_000)):
        rig = Rig({"one/m": FakeChatModel([TextDelta("Hello"), Finished(FinishReason.STOP, TokenUsage(told, 7))])})
        await rig.events()
        assert rig.rows[0].closing.usage == TokenUsage(charged, 7)


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
