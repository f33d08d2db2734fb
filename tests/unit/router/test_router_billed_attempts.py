"""A provider that says what it charges is believed, in the answer, the row and the budget alike."""

from __future__ import annotations

from router_answer_rig import Rig
from router_fakes import FakeChatModel

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, TextDelta
from provider_router.domain.calls.usage import TokenUsage

USED = TokenUsage(10, 2)


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
