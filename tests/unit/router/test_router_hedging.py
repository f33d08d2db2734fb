"""Two services side by side: who wins, who is cancelled, and that nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from router_answer_rig import CALLER, Rig
from router_fakes import HELLO, FakeChatModel

from provider_router.domain.calls.events import Completed, Started, TextDelta
from provider_router.domain.errors import Reason, failure
from shared.errors import UpstreamDown

DOWN = failure(Reason.PROVIDER_UNREACHABLE, "The provider does not answer.")


class Late(FakeChatModel):
    """Begins after `after_s` seconds."""

    def __init__(self, after_s: float, *events: object) -> None:
        super().__init__(events or HELLO)
        self.after_s = after_s

    async def stream(self, request, limits=None) -> AsyncGenerator:
        self.asked.append(request)
        self.open_streams += 1
        try:
            await asyncio.sleep(self.after_s)
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.open_streams -= 1


def hedged(models: dict[str, object], **changes: object) -> Rig:
    return Rig(models, hedge_after_ms=10, **changes)


def text_of(events: list) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_a_silent_service_is_overtaken_cancelled_and_charged_for_the_prompt() -> None:
    slow, quick = Late(30), FakeChatModel()
    rig = hedged({"one/m": slow, "two/m": quick})
    events = await rig.events()
    assert events[0] == Started("two/m", (), demonstration=False, decision_id="decision-1")
    assert text_of(events) == "Hello"
    assert slow.open_streams == 0
    assert rig.outcomes() == [("one/m", "outraced", ""), ("two/m", "succeeded", "")]
    assert [row.opening.hedge for row in rig.rows] == [False, True]
    outraced = rig.rows[0].closing
    assert (outraced.usage.input_tokens, outraced.usage.output_tokens, outraced.cost_micro_usd) == (1, 0, 1)
    # What the answer says it cost is what all its rows say.
    assert events[-1].cost_micro_usd == rig.cost_micro_usd() == 15
    assert rig.nothing_is_held()
    assert [report.finished for _, report in sorted(rig.deployments.reports, key=lambda r: r[0].service)] == [
        False,
        True,
    ]


async def test_a_service_that_answers_in_time_is_not_raced() -> None:
    second = FakeChatModel()
    rig = hedged({"one/m": FakeChatModel(), "two/m": second})
    events = await rig.events()
    assert events[0].model == "one/m"
    assert second.asked == []
    assert len(rig.rows) == 1


async def test_the_first_one_can_still_win() -> None:
    rig = hedged({"one/m": Late(0.03), "two/m": Late(30)})
    events = await rig.events()
    assert events[0].model == "one/m"
    assert text_of(events) == "Hello"
    assert rig.outcomes() == [("one/m", "succeeded", ""), ("two/m", "outraced", "")]


async def test_a_call_may_forbid_it() -> None:
    second = FakeChatModel()
    rig = hedged({"one/m": Late(0.03), "two/m": second})
    events = await rig.events(hedge=False)
    assert events[0].model == "one/m"
    assert second.asked == []


async def test_there_is_one_hedge_a_call() -> None:
    third = FakeChatModel()
    rig = hedged({"one/m": Late(0.05), "two/m": Late(0.08), "three/m": third})
    await rig.events()
    assert third.asked == []


async def test_the_other_goes_on_when_one_fails() -> None:
    rig = hedged({"one/m": Late(0.02, DOWN), "two/m": Late(0.05)}, tries=1)
    events = await rig.events()
    assert events[0].model == "two/m"
    assert [a.reason for a in events[0].attempts] == ["PROVIDER_UNREACHABLE"]
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_UNREACHABLE"), ("two/m", "succeeded", "")]


async def test_when_both_fail_the_chain_goes_on() -> None:
    rig = hedged({"one/m": Late(0.02, DOWN), "two/m": Late(0.02, DOWN), "three/m": FakeChatModel()}, tries=1)
    events = await rig.events()
    assert events[0].model == "three/m"
    assert [a.model for a in events[0].attempts] == ["one/m", "two/m"]
    assert rig.nothing_is_held()


async def test_when_both_fail_both_are_tried_again() -> None:
    models = {"one/m": [Late(0.02, DOWN), FakeChatModel([DOWN])], "two/m": [Late(0.02, DOWN), FakeChatModel()]}
    rig = hedged(models)
    events = await rig.events()
    assert [row.opening.service for row in rig.rows] == ["one/m", "two/m", "one/m", "two/m"]
    assert events[0].model == "two/m"


async def test_a_hedge_that_cannot_be_had_leaves_the_first_at_work() -> None:
    from provider_router.domain.traffic.lease import Unavailable

    rig = hedged({"one/m": Late(0.03), "two/m": FakeChatModel()})
    rig.deployments.unavailable["two/m"] = Unavailable(Reason.CIRCUIT_OPEN)
    events = await rig.events()
    assert events[0] == Started("one/m", (), demonstration=False, decision_id="decision-1")
    assert rig.outcomes() == [("one/m", "succeeded", "")]


async def test_leaving_cancels_both_and_settles_them_as_aborted() -> None:
    first, second = Late(30), Late(30)
    rig = hedged({"one/m": first, "two/m": second})

    async def call() -> None:
        await rig.events()

    task = asyncio.create_task(call())
    while not (first.open_streams and second.open_streams):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await rig.ends.tied(1)
    assert (first.open_streams, second.open_streams) == (0, 0)
    assert rig.outcomes() == [("one/m", "aborted", ""), ("two/m", "aborted", "")]
    assert rig.nothing_is_held()


async def test_closing_after_a_race_closes_the_winner() -> None:
    winner = Late(0.0, TextDelta("x"), ...)
    winner.stream = FakeChatModel([TextDelta("x"), ...]).stream
    rig = hedged({"one/m": Late(30), "two/m": winner})
    async with aclosing(rig.stream()) as events:
        assert isinstance(await anext(events), Started)
    await rig.ends.tied(1)
    assert rig.outcomes() == [("one/m", "outraced", ""), ("two/m", "aborted", "")]
    assert rig.nothing_is_held()


async def test_a_race_that_both_lose_says_so() -> None:
    rig = hedged({"one/m": Late(0.02, DOWN), "two/m": Late(0.02, DOWN)}, tries=1)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events()
    assert {name: caught.value.metadata[name] for name in ("one/m", "two/m")} == {
        "one/m": "PROVIDER_UNREACHABLE",
        "two/m": "PROVIDER_UNREACHABLE",
    }


async def test_hedges_are_paid_from_the_retry_budget() -> None:
    rig = hedged({"one/m": Late(0.02), "two/m": FakeChatModel()})
    while rig.retries.of(CALLER.org_id).take(rig.clock.monotonic()):
        pass
    events = await rig.events()
    assert events[0].model == "one/m"
    assert isinstance(events[-1], Completed)
