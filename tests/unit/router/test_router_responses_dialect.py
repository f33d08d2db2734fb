"""The dialect of OpenAI's Responses: bodies, streams, usage and bills."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest
from router_shipped import shipped

from provider_router.adapters.http.chat_stream import AT_WORK
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.openai_responses.decoder import ResponsesDecoder
from provider_router.adapters.openai_responses.usage import billed_micro_usd, usage_of
from provider_router.adapters.yaml_file.located_yaml import RefusedFileError
from provider_router.adapters.yaml_file.provider_reader import LocalAddresses, read_configuration
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.money.pricing import cost_micro_usd
from shared.errors import UpstreamDown

USAGE = {
    "input_tokens": 2006,
    "input_tokens_details": {"cached_tokens": 1920, "cache_write_tokens": 50},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 192},
    "total_tokens": 2306,
}
USED = TokenUsage(2006, 300, 1920, 192, 50)
# Perplexity's Agent API: 2 searches at 0.0025 beside 3,681 tokens at 0.25 and 780 at 2.5.
AGENT_USAGE = {
    "input_tokens": 3681,
    "output_tokens": 780,
    "total_tokens": 4461,
    "input_tokens_details": {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0},
    "tool_calls_details": {"web_search": {"invocation": 2}},
    "cost": {
        "currency": "USD",
        "input_cost": 0.00092,
        "output_cost": 0.00195,
        "tool_calls_cost": 0.005,
        "total_cost": 0.00787,
    },
}


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def text(piece: str, place: int = 0) -> dict[str, Any]:
    return event("output_text.delta", output_index=place, content_index=0, delta=piece)


def done(status: str = "completed", why: str | None = None, **fields: Any) -> dict[str, Any]:
    details = {"reason": why} if why else None
    return event(status, response={"status": status, "incomplete_details": details, "output": [], **fields})


def message(words: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words}]}


def function_call(arguments: str, call_id: str = "a") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "add", "arguments": arguments}


def decoded(*events: dict[str, Any]) -> list[Any]:
    decoder = ResponsesDecoder("p")
    seen = [found for sent in events for found in decoder.decode(orjson.dumps(sent)) if found is not AT_WORK]
    return [*seen, decoder.end()]


def test_text_usage_and_finish() -> None:
    events = decoded(
        event("created", response={"output": []}),
        text("Hel"),
        text(""),
        text("lo"),
        event("output_text.done", output_index=0, text="Hello"),
        event("output_item.done", output_index=0, item=message("Hello")),
        done(output=[message("Hello")], usage=USAGE),
    )
    assert events == [TextDelta("Hel"), TextDelta("lo"), Finished(FinishReason.STOP, USED)]


def test_tool_calls_after_reasoning_are_numbered_from_zero() -> None:
    calls = [("a", 1), ("b", 2)]
    events = decoded(
        event("output_item.added", output_index=0, item={"type": "reasoning"}),
        event("output_item.done", output_index=0, item={"type": "reasoning", "summary": []}),
        *(event("output_item.added", output_index=place, item=function_call("", name)) for name, place in calls),
        event("function_call_arguments.delta", output_index=2, delta='{"y": 2}'),
        event("function_call_arguments.delta", output_index=1, delta='{"x":'),
        event("function_call_arguments.delta", output_index=1, delta=" 1}"),
        *(event("output_item.done", output_index=place, item=function_call("{}", name)) for name, place in calls),
        done(),
    )
    assert [e for e in events if isinstance(e, ToolCallDelta) and e.name] == [
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(1, "b", "add", ""),
    ]
    joined = ["".join(e.arguments_json for e in events[:-1] if e.index == index) for index in (0, 1)]
    assert joined == ['{"x": 1}', '{"y": 2}']
    assert events[-1] == Finished(FinishReason.TOOL_CALLS, None)


@pytest.mark.parametrize(
    "events",
    [
        [event("output_item.done", output_index=0, item=message("All at once")), done(output=[message("All at once")])],
        [done(output=[{"type": "search_results", "results": []}, message("All at once")])],
    ],
)
def test_text_without_deltas_is_taken_once_from_where_it_is(events: list[dict[str, Any]]) -> None:
    assert decoded(*events) == [TextDelta("All at once"), Finished(FinishReason.STOP, None)]


def test_a_call_without_deltas_is_taken_once_from_where_it_is() -> None:
    item = function_call('{"x": 1}')
    expected = [
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(0, "", "", '{"x": 1}'),
        Finished(FinishReason.TOOL_CALLS, None),
    ]
    assert decoded(event("output_item.done", output_index=1, item=item), done(output=[item])) == expected
    assert decoded(done(output=[item])) == expected


def test_a_call_without_arguments_has_an_empty_object() -> None:
    events = decoded(event("output_item.added", output_index=0, item=function_call("")), done())
    assert [event.arguments_json for event in events[:-1]] == ["", "{}"]


@pytest.mark.parametrize(
    ("end", "meant"),
    [
        (done("incomplete", "max_output_tokens"), FinishReason.LENGTH),
        (done("incomplete", "content_filter"), FinishReason.CONTENT_FILTER),
        (done("incomplete"), FinishReason.LENGTH),
        (done(), FinishReason.STOP),
    ],
)
def test_finish_reasons(end: dict[str, Any], meant: FinishReason) -> None:
    assert decoded(text("x"), end)[-1].finish_reason is meant


def test_a_refusal_is_text_and_says_so() -> None:
    events = decoded(event("refusal.delta", output_index=0, delta="No."), done())
    assert events == [TextDelta("No.", refusal=True), Finished(FinishReason.CONTENT_FILTER, None)]


@pytest.mark.parametrize(
    "failed",
    [
        event("failed", error={"message": "rate_limit exceeded"}),
        event("failed", response={"error": {"code": "rate_limit_exceeded", "message": "x"}}),
        {"type": "error", "code": "rate_limit_exceeded", "message": "x"},
    ],
)
def test_failures_within_the_stream(failed: dict[str, Any]) -> None:
    with pytest.raises(UpstreamDown) as caught:
        decoded(text("x"), failed)
    assert caught.value.reason == "PROVIDER_RATE_LIMITED"


@pytest.mark.parametrize("events", [[], [text("x")], [event("created")], [event("in_progress"), text("x")]])
def test_a_response_without_its_end_broke_off(events: list[dict[str, Any]]) -> None:
    with pytest.raises(MalformedAnswerError):
        decoded(*events)


def test_arguments_of_nothing_are_refused() -> None:
    with pytest.raises(MalformedAnswerError):
        decoded(event("function_call_arguments.delta", output_index=4, delta="{"))


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (USAGE, USED),
        (AGENT_USAGE, TokenUsage(3681, 780)),
        # Perplexity's cache, within the prompt and beside it.
        (
            {**AGENT_USAGE, "input_tokens_details": {"cache_read_input_tokens": 1000}},
            TokenUsage(3681, 780, 1000),
        ),
        (
            {**AGENT_USAGE, "total_tokens": 5461, "input_tokens_details": {"cache_read_input_tokens": 1000}},
            TokenUsage(4681, 780, 1000),
        ),
        (None, None),
        ({}, None),
        ({"input_tokens": 5}, None),
        ({"output_tokens": 5}, None),
    ],
)
def test_usage(usage: Any, tokens: TokenUsage | None) -> None:
    assert usage_of(usage) == tokens
    assert decoded(text("x"), done(usage=usage))[-1].usage == tokens


def test_what_perplexity_charges_counts_since_tokens_do_not_tell_it() -> None:
    finished = decoded(text("x"), done(usage=AGENT_USAGE))[-1]
    assert finished.billed_micro_usd == 7870
    # By the price in its contract, one search is charged for; this answer took two.
    price = shipped("perplexity")["perplexity/sonar"].price_on(date(2026, 11, 20))
    assert cost_micro_usd(price, finished.usage) == 920 + 1950 + 2500


@pytest.mark.parametrize(
    ("cost", "billed"),
    [
        (None, None),
        (0.005, None),
        ({"total_cost": 0.0000005}, 1),
        ({"total_cost": 0}, 0),
        ({"total_cost": 0.1 + 0.2}, 300_000),
        ({"total_cost": -1}, None),
        ({"total_cost": 1e9}, None),
        ({"total_cost": "1"}, None),
        ({"total_cost": True}, None),
        ({"total_cost": 1, "currency": "EUR"}, None),
        ({"currency": "USD"}, None),
    ],
)
def test_only_a_plausible_bill_is_believed(cost: Any, billed: int | None) -> None:
    assert billed_micro_usd({"input_tokens": 1, "cost": cost}) == billed


def test_without_a_bill_there_is_none() -> None:
    assert decoded(text("x"), done(usage=USAGE))[-1].billed_micro_usd is None


def configured(address: str, model: str) -> ProviderType:
    text = f"version: 1\nproviders:\n  p:\n    type: openai_responses\n{address}    models:\n      - {model}\n"
    return read_configuration(text.encode(), LocalAddresses("http://l", "http://l")).providers["p"].type


def test_it_is_configured_like_the_others() -> None:
    address, model = "    base_url: https://api.example.com/v1\n", "{name: m, chat: true}"
    assert configured(address, model) is ProviderType.OPENAI_RESPONSES
    with pytest.raises(RefusedFileError):
        configured("", model)
    with pytest.raises(RefusedFileError):
        configured(address, "{name: m, embeddings: true}")
