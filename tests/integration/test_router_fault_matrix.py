"""Every fault of a provider, unary and streamed, with one provider and with a chain: the exact reason or the exact
answer; nothing lost, nothing answered twice, nothing charged twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from router_faults import (
    AFTER,
    BEFORE,
    BROKEN_TEXT,
    GOOD,
    GOOD_MICRO_USD,
    HARMLESS,
    TEXT,
    Fault,
    balanced,
    books_router,
    scripted,
)
from router_service import Stub, chat, providers_file, streamed, text_of, unary

from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.errors import NexusError, UpstreamDown
from shared.testing.scripted_provider import Hang, Rule, ScriptedProvider

Call = Callable[[Stub, pb.ChatCompletionRequest], Awaitable[pb.ChatCompletionResponse]]
CALLS = pytest.mark.parametrize("call", [unary, streamed])
KIND = "openai_compatible"
HEDGED = "version: 1\ntiers: {balanced: {hedge: true}}\n"


def no_secret(error: NexusError) -> bool:
    return "sk-" not in f"{error.message} {error.metadata}"


@CALLS
@pytest.mark.parametrize("name", BEFORE)
async def test_one_provider_before_the_first_token(tmp_path: Path, call: Call, name: str) -> None:
    fault: Fault = BEFORE[name]
    async with fault.place() as place, books_router(providers_file(tmp_path, p0=(KIND, place.url))) as router:
        with pytest.raises(NexusError) as caught:
            await call(router.stub, chat("p0/m"))
        books = await router.books()
    assert caught.value.reason in fault.reasons
    assert fault.detail in caught.value.message
    assert no_secret(caught.value)
    if fault.retry_after_s is not None:
        assert caught.value.retry_after_s == pytest.approx(fault.retry_after_s, abs=0.5)
    assert place.requests() == (fault.tries if fault.reached else 0)
    assert [(model, outcome) for model, outcome, _ in books.outcomes()] == [("p0/m", "failed")] * fault.tries
    assert all(row.reason in fault.reasons for row in books.rows)
    assert books.cost_micro_usd() == 0
    assert balanced(books)


@CALLS
@pytest.mark.parametrize("name", BEFORE)
async def test_a_chain_before_the_first_token(tmp_path: Path, call: Call, name: str) -> None:
    fault: Fault = BEFORE[name]
    async with fault.place() as bad, scripted(GOOD)() as good:
        file = providers_file(tmp_path, p0=(KIND, bad.url), p1=(KIND, good.url))
        async with books_router(file) as router:
            answer = await call(router.stub, chat())
            books = await router.books()
    assert (answer.model, text_of(answer)) == ("p1/m", TEXT)
    assert answer.cost_micro_usd == books.cost_micro_usd() == GOOD_MICRO_USD
    assert {attempt.model for attempt in answer.attempts} == {"p0/m"}
    assert all(attempt.reason in fault.reasons for attempt in answer.attempts)
    assert good.requests() == 1
    assert bad.requests() == (len(answer.attempts) if fault.reached else 0)
    assert [outcome for _, outcome, _ in books.outcomes()] == ["failed"] * len(answer.attempts) + ["succeeded"]
    assert {row.decision_id for row in books.rows} == {answer.decision_id}
    assert balanced(books)


@CALLS
@pytest.mark.parametrize("model", ["p0/m", ""])
@pytest.mark.parametrize("name", AFTER)
async def test_after_the_first_token_the_answer_breaks(tmp_path: Path, call: Call, model: str, name: str) -> None:
    fault: Fault = AFTER[name]
    async with fault.place() as bad, scripted(GOOD)() as good:
        file = providers_file(tmp_path, p0=(KIND, bad.url), p1=(KIND, good.url))
        async with books_router(file) as router:
            with pytest.raises(UpstreamDown) as caught:
                await call(router.stub, chat(model))
            books = await router.books()
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata["model"] == "p0/m"
    assert caught.value.metadata["cause"] in fault.reasons
    assert no_secret(caught.value)
    assert (bad.requests(), good.requests()) == (1, 0)
    # What came was made and is paid for: by the router's own count, since no provider said how much it was.
    row = books.rows[0]
    assert (len(books.rows), row.outcome, row.estimated) == (1, "failed", True)
    assert row.usage.input_tokens > 0
    assert row.usage.output_tokens > 0
    assert books.cost_micro_usd() == row.usage.input_tokens + 2 * row.usage.output_tokens
    assert balanced(books)


@CALLS
@pytest.mark.parametrize("name", ["reset mid-stream", "truncated mid-stream", "error inside a 200 stream"])
async def test_after_the_first_token_another_goes_on(tmp_path: Path, call: Call, name: str) -> None:
    fault: Fault = AFTER[name]
    async with fault.place() as bad, scripted(GOOD)() as good:
        file = providers_file(tmp_path, p0=(KIND, bad.url), p1=(KIND, good.url))
        async with books_router(file) as router:
            answer = await call(router.stub, chat(routing=pb.RoutingOptions(continue_on_break=True)))
            books = await router.books()
    text = text_of(answer)
    assert answer.model == "p0/m"
    assert [each.model for each in answer.continuations] == ["p1/m"]
    assert text.endswith(TEXT)
    assert BROKEN_TEXT.startswith(text.removesuffix(TEXT))
    assert (bad.requests(), good.requests()) == (1, 1)
    assert [outcome for _, outcome, _ in books.outcomes()] == ["failed", "succeeded"]
    assert answer.cost_micro_usd == books.cost_micro_usd() > GOOD_MICRO_USD
    assert balanced(books)


@CALLS
@pytest.mark.parametrize("chain", [False, True])
@pytest.mark.parametrize("name", HARMLESS)
async def test_what_does_no_harm(tmp_path: Path, call: Call, chain: bool, name: str) -> None:
    async with HARMLESS[name].place() as odd, scripted(GOOD)() as good:
        file = providers_file(tmp_path, p0=(KIND, odd.url), p1=(KIND, good.url))
        async with books_router(file) as router:
            answer = await call(router.stub, chat("" if chain else "p0/m"))
            books = await router.books()
    assert (answer.model, text_of(answer)) == ("p0/m", TEXT)
    assert (odd.requests(), good.requests()) == (1, 0)
    assert books.outcomes() == [("p0/m", "succeeded", "")]
    row = books.rows[0]
    assert row.estimated is (name == "missing usage")
    assert answer.HasField("usage") is (name != "missing usage")
    assert answer.cost_micro_usd == row.cost_micro_usd == row.usage.input_tokens + 2 * row.usage.output_tokens > 0
    assert balanced(books)


@CALLS
@pytest.mark.parametrize("name", ["401", "404 model", "500", "garbage", "hang before first token", "empty body"])
async def test_a_chain_that_fails_whole_says_so_once(tmp_path: Path, call: Call, name: str) -> None:
    fault: Fault = BEFORE[name]
    async with fault.place() as first, fault.place() as second:
        file = providers_file(tmp_path, p0=(KIND, first.url), p1=(KIND, second.url))
        async with books_router(file, total_timeout_s=4.0) as router:
            with pytest.raises(UpstreamDown) as caught:
                await call(router.stub, chat())
            books = await router.books(settled_s=5)
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert {key: caught.value.metadata[key] for key in ("p0/m", "p1/m")} == dict.fromkeys(
        ("p0/m", "p1/m"), fault.reasons[0]
    )
    assert (first.requests(), second.requests()) == (fault.tries, fault.tries)
    assert len(books.rows) == 2 * fault.tries
    assert books.cost_micro_usd() == 0
    assert balanced(books)


async def test_a_silent_provider_is_raced_and_the_loser_is_cancelled(tmp_path: Path) -> None:
    async with ScriptedProvider() as slow, scripted(GOOD)() as good:
        slow.rule(Rule(Hang("headers")))
        file = providers_file(tmp_path, p0=(KIND, slow.base_url), p1=(KIND, good.url))
        rules = tmp_path / "routing" / "platform.yaml"
        rules.parent.mkdir()
        rules.write_text(HEDGED, encoding="utf-8")
        text = file.read_text(encoding="utf-8")
        promise = "chat: true, guarantees: {first_token_p50_ms: 20, first_token_p95_ms: 50}"
        file.write_text(text.replace("chat: true", promise), encoding="utf-8")
        async with books_router(file, first_token_timeout_s=5, total_timeout_s=5) as router:
            answer = await streamed(router.stub, chat())
            await slow.recording.wait_for_disconnects(1, timeout_s=1)
            books = await router.books()
    assert (answer.model, text_of(answer)) == ("p1/m", TEXT)
    assert list(answer.attempts) == []
    assert books.outcomes() == [("p0/m", "outraced", ""), ("p1/m", "succeeded", "")]
    assert [row.hedge for row in books.rows] == [False, True]
    assert answer.cost_micro_usd == books.cost_micro_usd() > GOOD_MICRO_USD
    assert balanced(books)
