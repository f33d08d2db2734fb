"""The counter of tokens, against counts that the vocabularies themselves gave for the texts in `token_samples.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_fakes import provider_spec, service_of

from provider_router.adapters import token_counter_estimated
from provider_router.adapters.token_counter_estimated import FAMILIES, EstimatedTokenCounter
from provider_router.domain.calls.chat import ChatRequest, Message, Role, Tool, ToolCall
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.service import Service
from provider_router.ports.token_counter import TokenCounter

SAMPLES = json.loads((Path(__file__).parents[2] / "data" / "router" / "token_samples.json").read_text())
# The vocabulary that was measured, and the family that stands for it.
MEASURED = [("o200k", "o200k"), ("llama3", "multilingual"), ("qwen3", "multilingual"), ("smollm2", "any")]
TEXTS = st.text(max_size=400)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "Where"}}, "required": ["city"]}


def service(family: str) -> Service:
    return service_of(traits={"tokenizer": family})


def of(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(messages, **more)


def counted(request: ChatRequest, family: str = "o200k") -> int:
    return EstimatedTokenCounter().count(request, service(family))


@pytest.mark.parametrize(("vocabulary", "family"), MEASURED)
@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["name"] for sample in SAMPLES])
def test_no_sample_is_counted_short_and_few_far_too_long(sample: Any, vocabulary: str, family: str) -> None:
    counter: TokenCounter = EstimatedTokenCounter()
    estimate, real = counter.text(service(family), sample["text"]), sample["tokens"][vocabulary]
    assert real <= estimate <= 3.9 * real


@pytest.mark.parametrize("name", ["english", "technical", "python", "schema", "json", "markdown"])
def test_what_prompts_are_made_of_is_counted_closely(name: str) -> None:
    sample = next(sample for sample in SAMPLES if sample["name"] == name)
    estimate = EstimatedTokenCounter().text(service("o200k"), sample["text"])
    assert estimate <= 1.5 * sample["tokens"]["o200k"]


@given(text=TEXTS, family=st.sampled_from(sorted(FAMILIES)))
def test_a_text_has_no_more_tokens_than_bytes_and_none_only_when_empty(text: str, family: str) -> None:
    count = EstimatedTokenCounter().text(service(family), text)
    assert (count > 0) == bool(text)
    assert count <= len(text.encode())


@given(texts=st.lists(TEXTS, min_size=1, max_size=6), family=st.sampled_from(sorted(FAMILIES)))
def test_what_is_remembered_changes_no_count(texts: list[str], family: str) -> None:
    counter, request = EstimatedTokenCounter(), of(*(Message(Role.USER, text * 9) for text in texts))
    first = counter.count(request, service(family))
    assert counter.count(request, service(family)) == first == counted(request, family)


@given(texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_another_message_makes_a_prompt_longer(texts: list[str]) -> None:
    messages = [Message(Role.USER, text) for text in texts]
    assert counted(of(*messages, Message(Role.USER, ""))) > counted(of(*messages))


def test_memory_is_bounded_and_holds_no_text() -> None:
    counter = EstimatedTokenCounter()
    for number in range(5000):
        counter.text(service("any"), f"{number} {'x' * 200}")
    assert len(counter._shapes) == 4096
    assert not any(isinstance(key, str | bytes) for key in counter._shapes)


def test_tools_schema_and_calls_are_counted() -> None:
    plain = of(Message(Role.USER, "What is the weather in Oslo?"))
    tools = of(*plain.messages, tools=(Tool("weather", "Tells the weather", SCHEMA),))
    schema = of(*plain.messages, response_schema=SCHEMA)
    call = Message(Role.ASSISTANT, "", (ToolCall("call_1", "weather", '{"city": "Oslo"}'),))
    called = of(*plain.messages, call, Message(Role.TOOL, "rain", tool_call_id="call_1"))
    least = len(json.dumps(SCHEMA)) // 6
    assert counted(tools) - counted(plain) > least
    assert counted(schema) - counted(plain) > least
    assert counted(called) - counted(plain) > 20


def test_anthropic_adds_instructions_to_tools() -> None:
    request = of(Message(Role.USER, "Hi"), tools=(Tool("now", "The time", {"type": "object"}),))
    assert counted(request, "claude") > 800 > counted(request, "o200k")


def test_a_service_without_the_trait_is_counted_by_its_dialect() -> None:
    request = of(Message(Role.USER, "Der Nebel hängt über dem Tal, wie jeden Morgen im November."))
    counter = EstimatedTokenCounter()
    anthropic = service_of(provider=provider_spec(type=ProviderType.ANTHROPIC))
    assert counter.count(request, anthropic) == counter.count(request, service("claude"))
    assert counter.count(request, service_of()) == counter.count(request, service("any"))
    assert counter.count(request, service("unheard of")) == counter.count(request, service("any"))


def test_what_the_local_models_template_adds_is_counted() -> None:
    # llama.cpp counted 41 tokens: the template begins with instructions of its own.
    request = of(Message(Role.USER, "Say hi to the whole class of students, please."))
    assert 41 <= counted(request, "any") <= 82


def test_odd_texts_do_not_raise() -> None:
    assert EstimatedTokenCounter().text(service("any"), "\ud800 broken \udfff") > 0


def test_of_very_long_texts_a_sample_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    shape_of = token_counter_estimated._shape_of

    def noted(raw: bytes) -> Any:
        looked_at.append(len(raw))
        return shape_of(raw)

    samples = "\n".join(sample["text"] for sample in SAMPLES)
    text, measured, counter = samples * (12_000_000 // len(samples)), service("o200k"), EstimatedTokenCounter()
    expected = counter.text(measured, samples) * len(text) // len(samples)
    pieces = [text[start : start + 4_000] for start in range(0, len(text), 4_000)]
    calls = tuple(ToolCall(f"c{place}", "f", piece) for place, piece in enumerate(pieces))
    monkeypatch.setattr(token_counter_estimated, "_shape_of", noted)
    for messages in (
        [Message(Role.USER, text)],
        [Message(Role.USER, piece) for piece in pieces],
        [Message(Role.ASSISTANT, tool_calls=calls)],
    ):
        request = of(*messages)
        looked_at.clear()
        assert 0.9 * expected < counter.count(request, measured) < 1.15 * expected
        # The first MiB, and a sample of as many characters, some of which have more than one byte.
        assert sum(looked_at) < 2.5 * 2**20


@pytest.mark.parametrize("in_the_middle", [False, True])
@pytest.mark.parametrize("length", [1_300_000, 2_000_000, 4_000_000])
def test_no_place_of_a_very_long_text_is_known_to_be_looked_at(length: int, in_the_middle: bool) -> None:
    """What begins each of 64 equal stretches, or is in its middle, has the same share of the sample as of the text."""
    cheap, dear = "abcdefghi " * 1_638, "7 3," * (length // 64)
    rest = length // 64 - len(cheap)
    before = rest // 2 if in_the_middle else 0
    text = (dear[:before] + cheap + dear[before:rest]) * 64
    whole = sum(EstimatedTokenCounter().text(service("gemini"), each * 64) for each in (cheap, dear[:rest]))
    counts = {EstimatedTokenCounter().text(service("gemini"), text + "x" * each) for each in range(9)}
    assert len(counts) > 1
    assert 0.85 * whole < sum(counts) / len(counts) < 1.15 * whole
    assert len({EstimatedTokenCounter().text(service("gemini"), text) for _ in range(3)}) == 1
