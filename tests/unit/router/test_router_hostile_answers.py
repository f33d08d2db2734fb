"""Answers that no dialect has: whatever a provider sends, what comes out is an answer or the provider's typed error."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_fakes import service_of
from structlog.testing import capture_logs
from test_router_openai_recordings import OneAnswer

from provider_router.adapters.anthropic.decoder import AnthropicDecoder
from provider_router.adapters.anthropic.whole import decode_whole as anthropic_whole
from provider_router.adapters.embedding_model_openai import OpenAIEmbeddingModel
from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.chat_stream import Decoder, Terms, stream_answer, whole_answer
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.adapters.openai.whole import decode_whole as openai_whole
from provider_router.adapters.openai_responses.decoder import ResponsesDecoder
from provider_router.domain.calls.events import TextDelta
from provider_router.domain.contracts.provider import Target
from shared.errors import NexusError

RECORDINGS = Path(__file__).parents[2] / "data/http/upstream"
CALL = HttpCall("p", "http://p.test", {}, b"")
STREAMED: dict[str, Callable[[], Decoder]] = {
    "openai_chat": lambda: OpenAIDecoder("p", choices=2),
    "anthropic_messages": lambda: AnthropicDecoder("p"),
    "openai_responses": lambda: ResponsesDecoder("p"),
}
WHOLE: dict[str, Callable[[bytes], object]] = {
    "openai_chat": openai_whole("p"),
    "anthropic_messages": anthropic_whole("p"),
    "openai_responses": lambda body: ResponsesDecoder("p").whole(body),
}
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]
NONSENSE: Sequence[Any] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**40, 0.5, -1e308, "", "x", "\x00", "😀", "tool_calls", "message_stop"),
    *([], [[]], [None], {}, {"type": "text"}, {"a": []}, {"text": None}, [1, "x"], DEEP),
)


@cache
def recorded(dialect: str) -> Sequence[tuple[str, Sequence[bytes]]]:
    """By the file's suffix: the body, or the data of each event."""
    return [
        (
            file.suffix,
            [file.read_bytes()]
            if file.suffix == ".json"
            else [line[5:].strip() for line in file.read_bytes().splitlines() if line.startswith(b"data:")],
        )
        for file in sorted((RECORDINGS / dialect).iterdir())
    ]


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places_in(each, (*path, key))


def spoiled(raw: bytes, chance: random.Random) -> bytes:
    """`raw` with something else, or nothing, at some place in it."""
    try:
        value = json.loads(raw)
    except ValueError:
        return raw
    *path, last = ("root", *chance.choice(list(places_in(value))))
    root = holder = {"root": value}
    for key in path:
        holder = holder[key]
    holder[last] = deepcopy(chance.choice(NONSENSE))
    if path and chance.random() < 0.2:
        del holder[last]
    return json.dumps(root["root"]).encode()


def read_streamed(decoder: Decoder, events: Sequence[bytes]) -> None:
    for data in events:
        decoder.decode(data)
        decoder.wire(data)
        if decoder.is_done:
            break
    decoder.end()


@pytest.mark.parametrize("dialect", STREAMED)
@given(seed=st.integers(0, 2**64))
def test_nonsense_at_any_place_is_a_malformed_answer_or_none_at_all(dialect: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    for suffix, events in recorded(dialect):
        sent = [spoiled(data, chance) if chance.random() < max(0.1, 1 / len(events)) else data for data in events]
        with suppress(MalformedAnswerError, NexusError):
            if suffix == ".json":
                WHOLE[dialect](sent[0])
            else:
                read_streamed(STREAMED[dialect](), sent)


async def into(told: list[Any], events: AsyncIterator[Any]) -> None:
    async for event in events:
        told.append(event)  # noqa: PERF401 - what was told before the fault is wanted


class Surprised(OpenAIDecoder):
    """A decoder that some event is too much for."""

    def decode(self, data: bytes) -> Sequence[Any]:
        if b"nonsense" in data:
            raise TypeError("the provider's own words")
        return super().decode(data)


@pytest.mark.parametrize("before", [b"", b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'])
async def test_what_no_decoder_thought_of_is_the_providers_fault(before: bytes) -> None:
    stream = before + b'data: "nonsense"\n\n'
    events = stream_answer(OneAnswer([stream]), CALL, Surprised("p"), Terms())  # type: ignore[arg-type]
    told: list[Any] = []
    with capture_logs() as lines, pytest.raises(NexusError) as caught:
        await into(told, events)
    assert told == ([TextDelta("Hel")] if before else [])
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"
    assert [(line["event"], line["error"]) for line in lines] == [("answer_not_decoded", "TypeError")]
    assert "own words" not in f"{lines}{caught.value}"


async def test_nor_may_a_whole_answer_surprise_anybody() -> None:
    class Client:
        async def whole(self, call: HttpCall, limits: object) -> bytes:
            return b"{}"

    def decode(body: bytes) -> Sequence[Any]:
        raise OverflowError(body)

    with pytest.raises(NexusError) as caught:
        await anext(whole_answer(Client(), CALL, decode, Terms()))  # type: ignore[arg-type]
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"


async def test_thousands_of_events_that_come_at_once_let_others_work() -> None:
    stream = b'data:{"choices":[{"delta":{}}]}\n\n' * 8_000
    events = stream_answer(OneAnswer([stream]), CALL, OpenAIDecoder("p"), Terms())  # type: ignore[arg-type]
    reading = asyncio.ensure_future(anext(events, None))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > len(stream) // 20_000
    assert isinstance(reading.exception(), NexusError)


class Vectors:
    """A client that has the vectors of an answer."""

    def __init__(self, vectors: Sequence[Sequence[Any]]) -> None:
        data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        self.body = json.dumps({"data": data, "usage": {"prompt_tokens": 3}}).encode()

    async def whole(self, call: HttpCall) -> bytes:
        return self.body


async def embedded(vectors: Sequence[Sequence[Any]]) -> Sequence[Sequence[float]]:
    service = service_of("one/embed", chat=False, embeddings=True)
    target = Target(service.provider, service.provider.deployments[0])
    model = OpenAIEmbeddingModel(Vectors(vectors), service, target, "")  # type: ignore[arg-type]
    return (await model.embed([""] * len(vectors))).vectors


async def test_thousands_of_vectors_let_others_work() -> None:
    reading = asyncio.ensure_future(embedded([(3, 4.0)] * 2_000))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    assert reading.result() == ((0.6, 0.8),) * 2_000


@pytest.mark.parametrize("wrong", [(1,), (1, True), (1, "2"), (1, None), (1, [2]), (0, 0), ()])
@pytest.mark.parametrize("others", [0, 1, 300])
async def test_a_vector_that_is_none_spoils_the_answer(wrong: Sequence[Any], others: int) -> None:
    with pytest.raises(NexusError) as caught:
        await embedded([*[(3, 4)] * others, wrong] if others else [wrong, (3, 4)])
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"
