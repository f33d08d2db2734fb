"""From what each provider's documents say of `usage` to the invoice: tokens, then millionths of a US dollar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_shipped import shipped

from provider_router.adapters.anthropic import usage as anthropic
from provider_router.adapters.anthropic.decoder import AnthropicDecoder
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.openai import usage as openai
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Price, Rates
from provider_router.domain.money.pricing import cost_micro_usd

NOVEMBER = date(2026, 11, 20)
COUNTS = st.integers(0, 10**12)


@dataclass
class Invoice:
    """One call. `cost` was computed by hand from the published price of that day."""

    service: str
    usage: dict[str, Any]
    tokens: TokenUsage
    cost: int
    day: date = NOVEMBER


def price_of(invoice: Invoice) -> Price | None:
    family, _, model = invoice.service.partition("/")
    return shipped(family)[model].price_on(invoice.day)


def prompt_details(**details: int) -> dict[str, Any]:
    return {"prompt_tokens_details": {"audio_tokens": 0, **details}}


def counts(prompt: int, completion: int, total: int | None = None, **more: Any) -> dict[str, Any]:
    total = prompt + completion if total is None else total
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}


OPENAI_DIALECT = {
    "openai: 86 plain at 2, 1920 read at 0.1, 300 out at 10, of which 192 are reasoning": Invoice(
        "openai/gpt-6.1-sol",
        counts(
            2006,
            300,
            **prompt_details(cached_tokens=1920),
            completion_tokens_details={
                "reasoning_tokens": 192,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        ),
        TokenUsage(2006, 300, 1920, 192),
        172 + 192 + 3000,
    ),
    "openai: 904 plain at 2, 4096 written at 2.5, 10 out at 10": Invoice(
        "openai/gpt-6.1-sol",
        counts(5000, 10, **prompt_details(cached_tokens=0, cache_write_tokens=4096)),
        TokenUsage(5000, 10, cache_write_input_tokens=4096),
        1808 + 10240 + 100,
    ),
    "openai: above 272,000 everything is long: 100,000 at 4, 200,000 read at 0.2, 1000 out at 15": Invoice(
        "openai/gpt-6.1-sol",
        counts(300_000, 1000, **prompt_details(cached_tokens=200_000)),
        TokenUsage(300_000, 1000, 200_000),
        400_000 + 40_000 + 15_000,
    ),
    "openai: at 272,000 nothing is long": Invoice(
        "openai/gpt-6.1-sol", counts(272_000, 0), TokenUsage(272_000, 0), 544_000
    ),
    "openai: on the last day of a price": Invoice(
        "openai/gpt-5.6-terra", counts(1000, 100), TokenUsage(1000, 100), 2500 + 1500, date(2026, 7, 29)
    ),
    "openai: on the first day of the next": Invoice(
        "openai/gpt-5.6-terra", counts(1000, 100), TokenUsage(1000, 100), 2000 + 1200, date(2026, 7, 30)
    ),
    "openai: half a micro-dollar goes up: 5 at 0.1": Invoice("openai/gpt-6-luna", counts(5, 0), TokenUsage(5, 0), 1),
    "gemini: 382 thoughts are in the total alone, and are output": Invoice(
        "gemini/gemini-4-argon", counts(20, 151, 553), TokenUsage(20, 533), 40 + 5330
    ),
    "gemini: the price after the introduction": Invoice(
        "gemini/gemini-4-argon", counts(20, 151, 553), TokenUsage(20, 533), 80 + 10_660, date(2026, 12, 1)
    ),
    "gemini: nothing but thoughts": Invoice(
        "gemini/gemini-3.8-flash",
        counts(21, 0, 81, completion_tokens_details={"reasoning_tokens": 60}),
        TokenUsage(21, 60, reasoning_tokens=60),
        # 15.75 + 225
        241,
    ),
    "gemini: without completion_tokens": Invoice(
        "gemini/gemini-3.8-flash", {"prompt_tokens": 20, "total_tokens": 30}, TokenUsage(20, 10), 53
    ),
    "ollama: three counts, no price": Invoice("ollama/qwen3:8b", counts(26, 298), TokenUsage(26, 298), 0),
    "vllm: details that are null": Invoice(
        "vllm/Qwen/Qwen3-32B", counts(7, 9, prompt_tokens_details=None), TokenUsage(7, 9), 0
    ),
    "llama.cpp: the part of the prompt that it kept": Invoice(
        "local/chat", counts(40, 12, prompt_tokens_details={"cached_tokens": 33}), TokenUsage(40, 12, 33), 0
    ),
}

ANTHROPIC_DIALECT = {
    "anthropic: 21 plain at 4, 188,086 written at 5, 393 out at 20": Invoice(
        "anthropic/claude-opus-5-5",
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 188_086,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 188_086, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 393,
            "service_tier": "standard",
        },
        TokenUsage(188_107, 393, cache_write_input_tokens=188_086),
        84 + 940_430 + 7860,
    ),
    "anthropic: the same prompt again, 188,086 read at 0.2": Invoice(
        "anthropic/claude-opus-5-5",
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 188_086,
            "output_tokens": 393,
            "output_tokens_details": {"thinking_tokens": 300},
        },
        TokenUsage(188_107, 393, 188_086, 300),
        # 84 + 37,617.2 + 7,860
        45_561,
    ),
    "anthropic: without a cache": Invoice(
        "anthropic/claude-sonnet-5-5", {"input_tokens": 10, "output_tokens": 25}, TokenUsage(10, 25), 20 + 250
    ),
    "anthropic: reads from the cache before they became cheaper": Invoice(
        "anthropic/claude-sonnet-5-5",
        {"input_tokens": 0, "cache_read_input_tokens": 10_000, "output_tokens": 1},
        TokenUsage(10_000, 1, 10_000),
        2000 + 10,
        date(2026, 10, 6),
    ),
    "anthropic: and after": Invoice(
        "anthropic/claude-sonnet-5-5",
        {"input_tokens": 0, "cache_read_input_tokens": 10_000, "output_tokens": 1},
        TokenUsage(10_000, 1, 10_000),
        1000 + 10,
        date(2026, 10, 7),
    ),
    "anthropic: what is read from the cache makes a prompt long: 5 at 0.5, 120,000 at 0.05, 100 out at 2.5": Invoice(
        "anthropic/claude-haiku-5-5",
        {"input_tokens": 5, "cache_read_input_tokens": 120_000, "output_tokens": 100},
        TokenUsage(120_005, 100, 120_000),
        # 2.5 + 6,000 + 250
        6253,
    ),
}


@pytest.mark.parametrize("invoice", OPENAI_DIALECT.values(), ids=OPENAI_DIALECT)
def test_openai_dialect_whole(invoice: Invoice) -> None:
    assert openai.usage_of(invoice.usage) == invoice.tokens
    assert cost_micro_usd(price_of(invoice), invoice.tokens) == invoice.cost


@pytest.mark.parametrize("invoice", ANTHROPIC_DIALECT.values(), ids=ANTHROPIC_DIALECT)
def test_anthropic_dialect_whole(invoice: Invoice) -> None:
    assert anthropic.usage_of(invoice.usage) == invoice.tokens
    assert cost_micro_usd(price_of(invoice), invoice.tokens) == invoice.cost


def openai_stream(*usages: Any, at_finish: Any = None) -> TokenUsage | None:
    """Two chunks of text, the finish with `at_finish`, then a chunk for each of `usages`, then `[DONE]`."""
    piece = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}]}
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": at_finish}
    chunks = [piece, {**piece, "usage": None}, finish, *({"choices": [], "usage": usage} for usage in usages)]
    decoder = OpenAIDecoder("p")
    for data in [*map(orjson.dumps, chunks), b"[DONE]"]:
        decoder.decode(data)
    return decoder.end().usage


@pytest.mark.parametrize("invoice", OPENAI_DIALECT.values(), ids=OPENAI_DIALECT)
def test_openai_dialect_streamed_with_one_chunk_of_usage(invoice: Invoice) -> None:
    assert openai_stream(invoice.usage) == invoice.tokens


@pytest.mark.parametrize("invoice", OPENAI_DIALECT.values(), ids=OPENAI_DIALECT)
def test_usage_in_the_chunk_of_the_finish_counts_once(invoice: Invoice) -> None:
    assert openai_stream(at_finish=invoice.usage) == invoice.tokens
    assert openai_stream(invoice.usage, invoice.usage, at_finish=invoice.usage) == invoice.tokens


def test_usage_in_every_chunk_is_of_the_answer_so_far() -> None:
    # Gemini, Perplexity, and vLLM with continuous_usage_stats.
    so_far = [counts(11, written, 11 + written + thoughts) for written, thoughts in ((0, 30), (4, 30), (9, 30))]
    assert openai_stream(*so_far) == TokenUsage(11, 39)


@pytest.mark.parametrize("nothing", [None, {}, counts(0, 0), {"prompt_tokens": None}, {"completion_tokens": 3}])
def test_a_chunk_without_a_count_takes_nothing_back(nothing: Any) -> None:
    assert openai_stream(counts(8, 2), nothing) == TokenUsage(8, 2)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": 9}, {"completion_tokens": 9}, {"total_tokens": 9}, {"queue_time": 0.1}]
)
def test_what_was_not_counted_does_not_pass_for_nothing(usage: Any) -> None:
    assert openai.usage_of(usage) is None
    assert openai_stream(usage) is None


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        # xAI documents reasoning that the count of the answer leaves out.
        (counts(32, 9, 135, completion_tokens_details={"reasoning_tokens": 94}), TokenUsage(32, 103, 0, 94)),
        # Perplexity's chat completions; a model that searches deeply counts its reasoning apart from everything.
        (counts(14, 302, search_context_size="low", citation_tokens=0, num_search_queries=1), TokenUsage(14, 302)),
        (
            counts(33, 7163, citation_tokens=20_016, num_search_queries=18, reasoning_tokens=73_997),
            TokenUsage(33, 81_160, reasoning_tokens=73_997),
        ),
        # DeepSeek and Moonshot say beside the counts what came from their caches.
        (counts(100, 5, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36), TokenUsage(100, 5, 64)),
        (counts(100, 5, cached_tokens=64), TokenUsage(100, 5, 64)),
        # Two of three counts are enough.
        ({"completion_tokens": 5, "total_tokens": 12}, TokenUsage(7, 5)),
        ({"prompt_tokens": 7, "completion_tokens": 5}, TokenUsage(7, 5)),
        # A total that is too small changes nothing; more in the cache than in the prompt is the prompt.
        (counts(7, 5, 3), TokenUsage(7, 5)),
        (counts(7, 5, **prompt_details(cached_tokens=9, cache_write_tokens=9)), TokenUsage(7, 5, 7)),
    ],
)
def test_other_servers_of_the_openai_dialect(usage: dict[str, Any], tokens: TokenUsage) -> None:
    assert openai.usage_of(usage) == tokens


def test_perplexitys_own_cost_is_what_its_price_gives() -> None:
    # `usage.cost` of its chat completions: 0.000014 in, 0.000302 out, 0.005 for the request.
    usage = counts(14, 302, cost={"total_cost": 0.005316})
    price = Price(NOVEMBER, Rates(1_000_000, 1_000_000), per_request=5000)
    assert cost_micro_usd(price, openai.usage_of(usage) or TokenUsage()) == 5316


@pytest.mark.parametrize("bad", [{"prompt_tokens": -1, "completion_tokens": 1}, counts(1, 1, total="2"), [1], "ten"])
def test_a_usage_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(MalformedAnswerError):
        openai.usage_of(bad)


def anthropic_stream(start: Any, *deltas: Any) -> TokenUsage | None:
    events = [
        {"type": "message_start", "message": {"content": [], "usage": start}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "x"}},
        {"type": "content_block_stop", "index": 0},
        *({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage} for usage in deltas),
        {"type": "message_stop"},
    ]
    decoder = AnthropicDecoder("p")
    for event in events:
        decoder.decode(orjson.dumps(event))
    return decoder.end().usage


def begun(usage: dict[str, Any]) -> dict[str, Any]:
    return {**usage, "output_tokens": 1}


@pytest.mark.parametrize("invoice", ANTHROPIC_DIALECT.values(), ids=ANTHROPIC_DIALECT)
def test_anthropic_dialect_streamed(invoice: Invoice) -> None:
    # First as it was, with the generated tokens alone, then as it is, with everything so far.
    end = {key: invoice.usage[key] for key in ("output_tokens", "output_tokens_details") if key in invoice.usage}
    assert anthropic_stream(begun(invoice.usage), end) == invoice.tokens
    assert anthropic_stream(begun(invoice.usage), invoice.usage) == invoice.tokens


@pytest.mark.parametrize("invoice", ANTHROPIC_DIALECT.values(), ids=ANTHROPIC_DIALECT)
def test_counts_of_a_message_are_cumulative(invoice: Invoice) -> None:
    assert anthropic_stream(begun(invoice.usage), begun(invoice.usage), invoice.usage, invoice.usage) == invoice.tokens


def test_a_later_count_of_the_prompt_holds() -> None:
    # With tools of the provider's own, the prompt grows while the model answers.
    assert anthropic_stream(
        {"input_tokens": 2679, "cache_read_input_tokens": 0, "output_tokens": 3},
        {"input_tokens": 10_682, "cache_read_input_tokens": 7, "output_tokens": 510, "server_tool_use": {"n": 1}},
    ) == TokenUsage(10_689, 510, 7)


@pytest.mark.parametrize(
    "end",
    [
        {"output_tokens": 9, "input_tokens": None, "cache_read_input_tokens": None},
        {"output_tokens": 9, "input_tokens": 0},
    ],
)
def test_a_count_that_is_missing_at_the_end_takes_nothing_back(end: dict[str, Any]) -> None:
    start = {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}
    assert anthropic_stream(start, end) == TokenUsage(12, 9, 7)


def test_all_of_the_prompt_may_be_counted_at_the_end() -> None:
    # As servers do that speak this dialect and count when they are done.
    start, end = {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 5, "output_tokens": 9}
    assert anthropic_stream(start, end) == TokenUsage(5, 9)


@pytest.mark.parametrize(
    ("start", "deltas"),
    [
        (None, [None]),
        ({}, [{}]),
        ({"input_tokens": 5, "output_tokens": 1}, []),
        ({"input_tokens": 5, "output_tokens": 1}, [None]),
        (None, [{"output_tokens": 9}]),
    ],
)
def test_half_a_count_is_none(start: Any, deltas: Sequence[Any]) -> None:
    if not deltas:
        deltas = [{}]
    assert anthropic_stream(start, *deltas) is None


def test_writes_are_counted_from_their_lifetimes_alone() -> None:
    usage = {
        "input_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        "output_tokens": 4,
    }
    assert anthropic.usage_of(usage) == TokenUsage(6, 4, cache_write_input_tokens=5)


@given(
    usage=st.fixed_dictionaries(
        {},
        optional={
            "prompt_tokens": COUNTS,
            "completion_tokens": COUNTS,
            "total_tokens": COUNTS,
            "reasoning_tokens": COUNTS,
            "cached_tokens": COUNTS,
            "prompt_tokens_details": st.fixed_dictionaries(
                {}, optional={"cached_tokens": COUNTS, "cache_write_tokens": COUNTS}
            ),
            "completion_tokens_details": st.fixed_dictionaries({}, optional={"reasoning_tokens": COUNTS}),
        },
    )
)
def test_whatever_is_sent_the_parts_stay_within_the_whole(usage: dict[str, Any]) -> None:
    tokens = openai.usage_of(usage)
    if tokens is None:
        assert len(usage.keys() & {"prompt_tokens", "completion_tokens", "total_tokens"}) < 2
        return
    assert min(tokens.plain_input_tokens, tokens.cached_input_tokens, tokens.cache_write_input_tokens) >= 0
    assert 0 <= tokens.reasoning_tokens <= tokens.output_tokens
    assert tokens.output_tokens >= usage.get("completion_tokens", 0)


@given(first=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), last=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS))
def test_a_message_never_costs_less_than_what_it_once_counted(first: tuple[int, ...], last: tuple[int, ...]) -> None:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    price = Price(NOVEMBER, Rates(2_000_000, 10_000_000, 100_000, 2_500_000))
    one, both = (
        anthropic_stream(dict(zip(names, first, strict=True)), dict(zip(names, end, strict=True)))
        for end in (first, last)
    )
    assert one is not None
    assert both is not None
    assert cost_micro_usd(price, both) >= cost_micro_usd(price, one)
