"""What providers of the dialect say, as recorded in `tests/data/http/upstream/openai_chat`, however it is split."""

from __future__ import annotations

import asyncio
import itertools
from functools import cache
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.chat_stream import Terms, stream_answer
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.adapters.openai.whole import decode_whole
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, Relayed, TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from shared.errors import UpstreamDown

RECORDINGS = Path(__file__).parents[2] / "data/http/upstream/openai_chat"
FIRST = b'{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}'
BROKEN = ("truncated", "truncated_done", "truncated_choice", "error", "error_finish")
CALLS = [
    ToolCallDelta(0, "call_Vq1", "weather_at", ""),
    ToolCallDelta(0, "", "", '{"place":"Brest","days":2}'),
    ToolCallDelta(1, "call_Vq2", "weather_at", ""),
    ToolCallDelta(1, "", "", '{"place":"Çeşme"}'),
    ToolCallDelta(2, "call_Vq3", "now", ""),
    ToolCallDelta(2, "", "", "{}"),
]
SAID = {
    "text": [TextDelta("The tide"), TextDelta(" turns"), TextDelta(" at six.")],
    "tools": [
        CALLS[0],
        ToolCallDelta(0, "", "", '{"pla'),
        ToolCallDelta(0, "", "", 'ce":"Bre'),
        CALLS[2],
        ToolCallDelta(0, "", "", 'st","days":'),
        ToolCallDelta(1, "", "", '{"place":"Çeşme"'),
        ToolCallDelta(0, "", "", "2}"),
        ToolCallDelta(1, "", "", "}"),
        CALLS[4],
        CALLS[5],
    ],
    "refusal": [TextDelta("I can't", refusal=True), TextDelta(" help with that.", refusal=True)],
    "reasoning": [ThinkingDelta("Six times"), ThinkingDelta(" seven."), TextDelta("42")],
    "odd": [TextDelta("Left"), TextDelta(" and right"), TextDelta(".")],
    "multibyte": [TextDelta("Größe 世"), TextDelta("界 👩‍🚀"), TextDelta(" नमस्ते"), TextDelta('\u2028\x00"\\')],
    "logprobs": [TextDelta("Yes"), TextDelta(".")],
    "choices": [TextDelta("Heads"), TextDelta("!")],
    "filter": [TextDelta("First, take")],
}
ENDED = {
    "text": Finished(FinishReason.STOP, TokenUsage(21, 9, 16)),
    "tools": Finished(FinishReason.TOOL_CALLS, TokenUsage(80, 44)),
    "refusal": Finished(FinishReason.CONTENT_FILTER, TokenUsage(30, 8)),
    "reasoning": Finished(FinishReason.STOP, TokenUsage(12, 40, 0, 37)),
    "odd": Finished(FinishReason.STOP, TokenUsage(5, 4)),
    "multibyte": Finished(FinishReason.LENGTH, TokenUsage(9, 17)),
    "logprobs": Finished(FinishReason.STOP, TokenUsage(8, 2)),
    "choices": Finished(FinishReason.STOP, TokenUsage(7, 4)),
    "filter": Finished(FinishReason.CONTENT_FILTER, None),
    "length": Finished(FinishReason.LENGTH, TokenUsage(10, 3)),
}


class SplitAnswer:
    """A streamed answer that comes in the given pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [*pieces, b""]

    async def read(self) -> bytes:
        return self.pieces.pop(0)

    def progressed(self) -> None:
        pass

    def settle(self) -> None:
        pass

    def close(self) -> None:
        pass


class OneAnswer:
    """A client that has one answer."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.limits = type("Limits", (), {"event_bytes": 100_000})
        self.answer = SplitAnswer(pieces)

    async def streamed(self, call: HttpCall, limits: object) -> SplitAnswer:
        return self.answer


def told(name: str, cuts: list[int], terms: Terms, *, tells_usage: bool = True) -> list:
    stream = recorded(f"{name}.sse")
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]

    async def drive() -> list:
        decoder = OpenAIDecoder("p", tells_usage=tells_usage)
        call = HttpCall("p", "http://p.test", {}, b"")
        return [event async for event in stream_answer(OneAnswer(pieces), call, decoder, terms)]

    return asyncio.run(drive())


@cache
def recorded(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def wire_of(events: list) -> bytes:
    return b"".join(event.wire for event in events if isinstance(event, Relayed | Finished))


def expected_wire(name: str) -> list[object]:
    """The JSON of all events of a recording."""
    text = recorded(f"{name}.sse").decode().replace("\r\n", "\n")
    blocks = (
        "\n".join(line.removeprefix("data: ") for line in block.split("\n") if line.startswith("data:"))
        for block in text.split("\n\n")
    )
    return [orjson.loads(data) for data in blocks if data and data != "[DONE]"]


def wire_json(wire: bytes) -> list[object]:
    return [
        orjson.loads("\n".join(line.removeprefix("data: ") for line in block.split("\n")))
        for block in wire.decode().split("\n\n")
        if block
    ]


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_is_understood(name: str) -> None:
    assert told(name, [], Terms(thinking=True)) == [*SAID[name], ENDED[name]]


@pytest.mark.parametrize("name", SAID)
def test_a_relayed_answer_reaches_its_caller_as_it_is(name: str) -> None:
    events = told(name, [], Terms(relayed=True))
    assert [said for event in events[:-1] for said in event.events] == SAID[name]
    assert wire_json(wire_of(events)) == expected_wire(name)
    assert events[-1].finish_reason is ENDED[name].finish_reason
    assert events[-1].usage == ENDED[name].usage


@given(st.sampled_from(sorted(SAID)), st.lists(st.integers(0, 10_000), max_size=30))
def test_splitting_a_stream_anywhere_changes_nothing(name: str, cuts: list[int]) -> None:
    assert told(name, cuts, Terms(thinking=True)) == [*SAID[name], ENDED[name]]
    relayed = told(name, cuts, Terms(relayed=True))
    assert [said for event in relayed[:-1] for said in event.events] == SAID[name]
    assert wire_of(relayed) == wire_of(told(name, [], Terms(relayed=True)))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_of_a_few_bytes_change_nothing(size: int) -> None:
    cuts = list(range(0, len(recorded("multibyte.sse")), size))
    assert told("multibyte", cuts, Terms()) == [*SAID["multibyte"], ENDED["multibyte"]]


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("relayed", [False, True])
def test_what_broke_off_is_no_answer(name: str, relayed: bool) -> None:
    with pytest.raises(UpstreamDown) as caught:
        told(name, [], Terms(relayed=relayed))
    assert caught.value.reason in ("PROVIDER_BAD_RESPONSE", "PROVIDER_ERROR")


@pytest.mark.parametrize("name", ["text", "odd", "tools"])
def test_tokens_are_told_only_to_those_who_asked(name: str) -> None:
    events = told(name, [], Terms(relayed=True), tells_usage=False)
    assert wire_json(wire_of(events)) == [chunk for chunk in expected_wire(name) if not chunk.get("usage")]
    assert events[-1].usage == ENDED[name].usage


@pytest.mark.parametrize("name", sorted(SAID))
def test_recordings_are_of_the_published_format(name: str) -> None:
    for chunk in expected_wire(name):
        if name != "odd":
            ChatCompletionChunk.model_validate(chunk)


def test_several_choices_are_at_work_until_all_have_ended() -> None:
    decoder = OpenAIDecoder("p")
    second = b'{"choices":[{"index":1,"delta":{"content":"x"}}]}'
    assert [type(each).__name__ for each in decoder.decode(second)] == ["AtWork"]
    decoder.decode(FIRST)
    with pytest.raises(MalformedAnswerError):
        decoder.end()


def test_a_choice_that_never_began_is_missed_unless_the_server_is_done() -> None:
    decoder = OpenAIDecoder("p", choices=2)
    decoder.decode(FIRST)
    with pytest.raises(MalformedAnswerError):
        decoder.end()
    decoder.decode(b"[DONE]")
    assert decoder.end().finish_reason is FinishReason.STOP


WHOLE = {
    "text": [TextDelta("The tide turns at six.")],
    "tools": CALLS,
    "refusal": [TextDelta("I can't help with that.", refusal=True)],
    "reasoning": [ThinkingDelta("Six times seven."), TextDelta("42")],
    "logprobs": [TextDelta("Yes.")],
    "choices": [TextDelta("Heads!")],
    "length": [TextDelta("One, two,")],
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_answers(name: str) -> None:
    assert list(decode_whole("p")(recorded(f"{name}.json"))) == [*WHOLE[name], ENDED[name]]


def test_a_filtered_whole_answer_says_so() -> None:
    finished = Finished(FinishReason.CONTENT_FILTER, TokenUsage(40, 0))
    assert list(decode_whole("p")(recorded("filter.json"))) == [finished]


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(UpstreamDown) as caught:
        decode_whole("p")(recorded("error.json"))
    assert caught.value.reason == "PROVIDER_RATE_LIMITED"


def test_a_whole_answer_may_leave_out_why_it_ended() -> None:
    body = {"choices": [{"message": {"content": "x", "tool_calls": None}, "finish_reason": None}]}
    assert list(decode_whole("p")(orjson.dumps(body))) == [TextDelta("x"), Finished(FinishReason.STOP, None)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": ""}}]}',
        b'{"choices": [{"message": {"content": [1]}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]}',
        b'{"choices": [{"index": 1, "message": {"content": "x"}, "finish_reason": "stop"}]}',
    ],
)
def test_what_is_no_whole_answer_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        decode_whole("p")(body)
