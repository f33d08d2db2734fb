"""The attempts of a call: order, fallback, settlement."""

from __future__ import annotations

import pytest
from router_answer_rig import PRICES, Rig
from router_fakes import HELLO, QUESTION, FakeChatModel, price_of, service_of
from router_money_fakes import monthly

from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role
from provider_router.domain.calls.events import Completed, Finished, Started, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.attempt import Outcome
from shared.errors import DeadlineExceeded, InvalidInput, NexusError, QuotaExceeded, UpstreamDown

DOWN = failure(Reason.PROVIDER_UNREACHABLE, "The provider does not answer.")
BROKEN = failure(Reason.PROVIDER_ERROR, "An error of its own.")
SLOW = failure(Reason.PROVIDER_TIMEOUT, "Too slow.")
TOO_LONG = failure(Reason.CONTEXT_TOO_LONG, "Too long.")
KEY = failure(Reason.PROVIDER_REFUSED_KEY, "No.")


async def test_an_answer_starts_flows_and_completes_with_what_its_row_says() -> None:
    rig = Rig({"one/m": FakeChatModel()}, service_of("one/m", prices=PRICES, demonstration=True))
    assert await rig.events(conversation_id="c") == [
        Started("one/m", (), demonstration=True, decision_id="decision-1"),
        TextDelta("Hel"),
        TextDelta("lo"),
        Completed(FinishReason.STOP, TokenUsage(10, 2), 14),
    ]
    row = rig.rows[0]
    assert (row.opening.decision_id, row.opening.conversation_id, row.opening.number) == ("decision-1", "c", 1)
    assert (row.closing.outcome, row.closing.cost_micro_usd, row.closing.estimated) == (Outcome.SUCCEEDED, 14, False)
    assert rig.affinity.last("org-a", "c") == "one/m"
    assert rig.observer.decisions == ["OK"]
    assert rig.nothing_is_held()


async def test_a_failure_before_the_first_piece_moves_on_unseen_and_is_reported() -> None:
    rig = Rig({"one/m": FakeChatModel([DOWN]), "two/m": FakeChatModel()}, tries=1)
    events = await rig.events()
    assert events[0].model == "two/m"
    assert [(a.model, a.reason, a.deployment) for a in events[0].attempts] == [
        ("one/m", "PROVIDER_UNREACHABLE", "default")
    ]
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_UNREACHABLE"), ("two/m", "succeeded", "")]
    assert rig.cost_micro_usd() == events[-1].cost_micro_usd == 14
    assert rig.observer.fallbacks == [("one/m", "PROVIDER_UNREACHABLE")]


async def test_what_the_provider_does_not_count_is_counted_and_charged() -> None:
    silent = FakeChatModel([TextDelta("one two "), TextDelta("three"), Finished(FinishReason.STOP, None)])
    rig = Rig({"one/m": silent})
    events = await rig.events(ChatRequest((Message(Role.USER, "four words of prompt"),)))
    assert (events[-1].usage, events[-1].cost_micro_usd) == (None, 4 + 2 * 3)
    closing = rig.rows[0].closing
    assert (closing.usage, closing.estimated, closing.cost_micro_usd) == (TokenUsage(4, 3), True, 10)


async def test_a_failure_after_the_first_piece_breaks_the_stream_and_is_charged_for_what_came() -> None:
    rig = Rig({"one/m": FakeChatModel([TextDelta("one two"), DOWN]), "two/m": FakeChatModel()})
    events = rig.stream()
    seen = [await anext(events), await anext(events)]
    with pytest.raises(UpstreamDown) as caught:
        await anext(events)
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata == {
        "model": "one/m",
        "cause": "PROVIDER_UNREACHABLE",
        "decision_id": "decision-1",
    }
    assert [type(event) for event in seen] == [Started, TextDelta]
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_UNREACHABLE")]
    assert rig.rows[0].closing.usage == TokenUsage(1, 2)
    assert rig.cost_micro_usd() == 1 + 2 * 2
    assert rig.nothing_is_held()


async def test_a_model_that_ends_without_a_finish_is_a_failure() -> None:
    rig = Rig({"one/m": FakeChatModel([]), "two/m": FakeChatModel([TextDelta("x")])}, tries=1)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events()
    assert caught.value.reason == "STREAM_BROKEN"
    assert rig.outcomes() == [
        ("one/m", "failed", "PROVIDER_BAD_RESPONSE"),
        ("two/m", "failed", "PROVIDER_BAD_RESPONSE"),
    ]


async def test_all_models_failed_tells_each_reason_and_the_shortest_wait() -> None:
    limited = failure(Reason.PROVIDER_RATE_LIMITED, "Later.", retry_after_s=70.0)
    models = {"one/m": FakeChatModel([DOWN]), "two/m": FakeChatModel([limited]), "three/m": FakeChatModel([TOO_LONG])}
    rig = Rig(models, tries=1)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events()
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert caught.value.metadata == {
        "one/m": "PROVIDER_UNREACHABLE",
        "two/m": "PROVIDER_RATE_LIMITED",
        "three/m": "CONTEXT_TOO_LONG",
        "why": "one could not be reached (PROVIDER_UNREACHABLE), two limits the rate (PROVIDER_RATE_LIMITED), "
        "three failed (CONTEXT_TOO_LONG)",
        "decision_id": "decision-1",
    }
    assert caught.value.metadata["why"] in caught.value.message
    assert caught.value.retry_after_s == 70.0
    assert rig.cost_micro_usd() == 0
    assert rig.nothing_is_held()


async def test_a_request_that_every_model_rejects_is_the_callers_fault() -> None:
    rig = Rig({"one/m": FakeChatModel([TOO_LONG]), "two/m": FakeChatModel([TOO_LONG])})
    with pytest.raises(InvalidInput) as caught:
        await rig.events()
    assert caught.value.reason == "CONTEXT_TOO_LONG"
    assert len(rig.rows) == 2


@pytest.mark.parametrize("error", [DOWN, KEY, TOO_LONG, SLOW])
async def test_a_named_model_fails_with_its_own_reason(error: NexusError) -> None:
    rig = Rig({"one/m": FakeChatModel([error])})
    with pytest.raises(type(error)) as caught:
        await rig.events(model="one/m")
    # Several calls may share the error, and each has a decision of its own.
    assert (caught.value.reason, caught.value.message) == (error.reason, error.message)
    assert (caught.value.metadata["decision_id"], error.metadata) == ("decision-1", {})


async def test_a_model_that_cannot_be_made_is_a_failed_attempt() -> None:
    missing = failure(Reason.PROVIDER_NOT_CONFIGURED, "No key.")
    rig = Rig({"one/m": missing, "two/m": FakeChatModel()})
    events = await rig.events()
    assert [a.reason for a in events[0].attempts] == ["PROVIDER_NOT_CONFIGURED"]
    assert rig.nothing_is_held()


async def test_a_wrong_chat_is_refused_before_anything_is_done() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    with pytest.raises(InvalidInput) as caught:
        await rig.events(ChatRequest((Message(Role.USER, ""),)))
    assert caught.value.reason == "INVALID_MESSAGES"
    assert rig.rows == []
    assert rig.observer.decisions == []


async def test_no_route_is_told_and_counted() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    rig.refusal = failure(Reason.NO_ROUTE, "No service may answer.")
    with pytest.raises(NexusError) as caught:
        await rig.events()
    assert caught.value.reason == "NO_ROUTE"
    assert rig.observer.decisions == ["NO_ROUTE"]
    assert rig.rows == []


async def test_an_answer_without_text_starts_and_completes() -> None:
    rig = Rig({"one/m": FakeChatModel([Finished(FinishReason.CONTENT_FILTER, TokenUsage(3, 0))])})
    events = await rig.events()
    assert [type(event) for event in events] == [Started, Completed]
    assert events[-1].finish_reason is FinishReason.CONTENT_FILTER


async def test_what_an_attempt_may_use_is_reserved_before_and_limits_go_with_the_call() -> None:
    model = FakeChatModel()
    rig = Rig({"one/m": model}, service_of("one/m", prices=PRICES, max_output_tokens=50))
    await rig.events(timeout_ms=20_000)
    opening = rig.rows[0].opening
    assert (opening.reserved, opening.reserved_micro_usd) == (TokenUsage(1, 50), 101)
    assert opening.price_version == "one/m@2020-01-01"
    limits = model.limits[0]
    assert (limits.first_token_ms, limits.idle_ms, limits.total_ms) == (1_000, 500, 20_000)


@pytest.mark.parametrize(("asked", "told"), [(None, 0), (50, 0), (51, 50), (100_000, 50)])
async def test_a_limit_that_the_model_cannot_reach_is_told(asked: int | None, told: int) -> None:
    rig = Rig({"one/m": FakeChatModel()}, service_of("one/m", prices=PRICES, max_output_tokens=50))
    events = await rig.events(ChatRequest((Message(Role.USER, "Hi"),), max_output_tokens=asked))
    assert events[0].limited_to == told
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    assert builder.answer().limited_to == told


async def test_a_call_that_was_not_let_in_has_no_decision_to_name() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    rig.ledger.error = UpstreamDown("STORAGE_FULL", "Full.")
    with pytest.raises(UpstreamDown) as caught:
        await rig.events()
    assert "decision_id" not in caught.value.metadata
    rig.ledger.error = QuotaExceeded("BUDGET_EXHAUSTED", "Spent.")
    with pytest.raises(QuotaExceeded) as spent:
        await rig.events()
    assert spent.value.metadata["decision_id"] == "decision-1"


async def test_a_ledger_that_cannot_be_written_ends_the_call_before_the_provider_hears_of_it() -> None:
    model = FakeChatModel()
    rig = Rig({"one/m": model, "two/m": model})
    rig.ledger.error = UpstreamDown("STORAGE_FULL", "Full.")
    with pytest.raises(UpstreamDown) as caught:
        await rig.events()
    assert caught.value.reason == "STORAGE_FULL"
    assert model.asked == []
    assert rig.deployments.out == []


async def test_a_ledger_that_fails_afterwards_takes_no_answer_away() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    events = rig.stream()
    assert isinstance(await anext(events), Started)
    rig.ledger.error = UpstreamDown("STORAGE_FULL", "Full.")
    assert isinstance([event async for event in events][-1], Completed)
    assert rig.deployments.out == []


async def test_every_attempt_is_observed_once_with_its_row() -> None:
    rig = Rig({"one/m": FakeChatModel([BROKEN]), "two/m": FakeChatModel()}, tries=1)
    await rig.events()
    assert [(r.opening.attempt_id, r.closing.outcome) for r in rig.observer.records] == [
        (row.opening.attempt_id, row.closing.outcome) for row in rig.rows
    ]
    assert [r.finish_reason for r in rig.observer.records] == [None, FinishReason.STOP]
    assert len(rig.observer.overheads_s) == 1


async def test_the_reports_say_how_each_call_went() -> None:
    limited = failure(Reason.PROVIDER_RATE_LIMITED, "Later.", retry_after_s=70.0)
    rig = Rig({"one/m": FakeChatModel([limited]), "two/m": FakeChatModel()})
    await rig.events()
    (_, first), (_, second) = rig.deployments.reports
    assert (first.reason, first.finished, first.retry_after_s) == (Reason.PROVIDER_RATE_LIMITED, True, 70.0)
    assert (second.reason, second.finished, second.output_tokens) == (None, True, 2)
    assert second.first_token_ms == 0


async def test_budgets_move_on_to_a_cheaper_service_only() -> None:

    dear = service_of("one/m", prices=price_of(9_000_000, 9_000_000), max_output_tokens=10)
    dearer = service_of("two/m", prices=price_of(90_000_000, 90_000_000), max_output_tokens=10)
    cheap = service_of("three/m", prices=price_of(1_000_000, 1_000_000), max_output_tokens=10)
    models = {name: FakeChatModel() for name in ("one/m", "two/m", "three/m")}
    rig = Rig(models, dear, dearer, cheap)
    rig.book.budgets = [monthly(20)]
    events = await rig.events()
    assert events[0].model == "three/m"
    assert [(a.model, a.reason, a.deployment) for a in events[0].attempts] == [("one/m", "BUDGET_EXHAUSTED", "")]
    assert models["two/m"].asked == []
    assert rig.nothing_is_held()


async def test_a_budget_that_no_service_fits_ends_the_call_with_it() -> None:

    rig = Rig({"one/m": FakeChatModel(), "two/m": FakeChatModel()})
    rig.book.budgets = [monthly(20)]
    with pytest.raises(QuotaExceeded) as caught:
        await rig.events()
    assert caught.value.reason == "BUDGET_EXHAUSTED"
    assert rig.rows == []
    assert rig.deployments.out == []


async def test_the_question_is_passed_on_as_it_was_asked_where_nothing_is_charged() -> None:
    model = FakeChatModel(HELLO)
    await Rig({"one/m": model}, service_of("one/m")).events()
    assert model.asked == [QUESTION]


@pytest.mark.parametrize("models", [["one/m"], ["one/m", "two/m"]])
async def test_a_call_whose_caller_gave_it_no_more_time_says_so(models: list[str]) -> None:
    class Endless(FakeChatModel):
        async def stream(self, request, limits=None):
            yield TextDelta("on ")
            rig.clock.advance(limits.total_ms / 1000)
            raise SLOW

    rig = Rig({name: Endless() for name in models}, total_timeout_ms=1_984)
    with pytest.raises(DeadlineExceeded) as caught:
        await rig.events(timeout_ms=2_000)
    assert caught.value.reason == "DEADLINE_EXCEEDED"
    assert rig.outcomes() == [("one/m", "failed", "PROVIDER_TIMEOUT")]
    assert rig.nothing_is_held()
    # The router's own limit is another matter.
    rig = Rig({"one/m": Endless()}, total_timeout_ms=1_984)
    with pytest.raises(UpstreamDown) as broken:
        await rig.events(timeout_ms=20_000)
    assert broken.value.reason == "STREAM_BROKEN"


@pytest.mark.parametrize(("prices", "asked"), [(PRICES, 4096), ((), None)])
async def test_what_costs_money_may_not_be_longer_than_what_was_reserved(prices, asked) -> None:
    model = FakeChatModel()
    rig = Rig({"one/m": model}, service_of("one/m", prices=prices))
    await rig.events()
    assert [request.max_output_tokens for request in model.asked] == [asked]
    assert rig.rows[0].opening.reserved.output_tokens == 4096
