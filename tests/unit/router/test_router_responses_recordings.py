"""What providers of the dialect say, as recorded in `data/http/upstream/openai_responses`.

That it may come in any pieces and be cut anywhere is tested with all dialects, in `test_router_translation_golden`.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from router_translation import DATA, told, told_whole

from provider_router.adapters.http.chat_stream import AtWork
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.openai_responses.decoder import ResponsesDecoder
from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import FinishReason, Message, Role, ToolCall
from provider_router.domain.calls.content import RefusalPart, TextPart, ThinkingPart
from provider_router.domain.calls.events import Completed, Finished, ModelEvent, Started
from provider_router.domain.calls.usage import TokenUsage
from shared.errors import UpstreamDown

DIALECT = "openai_responses"
RECORDINGS = DATA / "upstream" / DIALECT
BROKEN = ("error", "failed", "truncated", "without_end")
STREAMS = sorted({path.stem for path in RECORDINGS.glob("*.sse")} - set(BROKEN))
BOTH = sorted(name for name in STREAMS if (RECORDINGS / f"{name}.json").exists())
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
CALLS = (
    ToolCall("call_Yd0bG3uQxVw1JkR7aEoP5nTs", "get_weather", '{"city":"Paris"}'),
    ToolCall("call_4mZpQ8sWcL2vN6hXtKfB9aRe", "get_weather", r'{"city":"Zürich \"HB\""}'),
)
NO = "I'm sorry, but I can't help with that."
# Two parts of one summary.
THOUGHT = "**Counting the letters**\n\nI go through the word.\n\n**Checking**\n\nThree, indeed."
SAID = {
    "content_filter": (Message(Role.ASSISTANT, "The recipe"), FinishReason.CONTENT_FILTER, TokenUsage(14, 2)),
    "crlf_and_comments": (Message(Role.ASSISTANT, "Line ends differ"), FinishReason.STOP, TokenUsage(9, 4)),
    "incomplete": (Message(Role.ASSISTANT, "Once upon a time"), FinishReason.LENGTH, TokenUsage(14, 16)),
    "multi_byte": (
        Message(Role.ASSISTANT, "Grüß dich, 世界 — 🦊🧑‍🚀 नमस्ते\u2028line\u0085s"),
        FinishReason.STOP,
        TokenUsage(20, 19),
    ),
    "parallel_calls": (
        Message(Role.ASSISTANT, "I will look at both.", CALLS),
        FinishReason.TOOL_CALLS,
        TokenUsage(82, 51, 64),
    ),
    "reasoning": (
        Message(Role.ASSISTANT, "There are three.", parts=(ThinkingPart(THOUGHT), TextPart("There are three."))),
        FinishReason.STOP,
        TokenUsage(25, 233, 0, 192),
    ),
    "refusal": (
        Message(Role.ASSISTANT, NO, parts=(RefusalPart(NO),)),
        FinishReason.CONTENT_FILTER,
        TokenUsage(44, 11),
    ),
    "text": (Message(Role.ASSISTANT, "The capital of France is Paris."), FinishReason.STOP, TokenUsage(36, 12)),
    "unknown_events": (Message(Role.ASSISTANT, "The level is 2.1 m."), FinishReason.STOP, TokenUsage(8123, 31)),
}


@cache
def recorded(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


@cache
def relayed(name: str) -> bytes:
    return told(DIALECT, DIALECT, [recorded(f"{name}.sse")]).wire


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in pairwise(places)]


def understood(stream: bytes) -> list[ModelEvent]:
    """What the router understands of a stream."""
    decoder = ResponsesDecoder("p")
    said = [event for data in data_lines(stream) for event in decoder.decode(data) if not isinstance(event, AtWork)]
    return [*said, decoder.end()]


def put_together(events: list[ModelEvent]) -> tuple[Message, FinishReason, TokenUsage | None]:
    builder = AnswerBuilder()
    builder.add(Started("p/m", (), demonstration=False))
    for event in events:
        builder.add(Completed(event.finish_reason, event.usage, 0) if isinstance(event, Finished) else event)
    answer = builder.answer()
    return answer.message, answer.finish_reason, answer.usage


def data_lines(stream: bytes) -> list[bytes]:
    lines = stream.replace(b"\r\n", b"\n").split(b"\n")
    return [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]


@pytest.mark.parametrize("name", STREAMS)
def test_what_is_said_is_understood(name: str) -> None:
    assert put_together(understood(recorded(f"{name}.sse"))) == SAID[name]


@pytest.mark.parametrize("name", BOTH)
def test_a_whole_answer_says_the_same(name: str) -> None:
    assert put_together([*ResponsesDecoder("p").whole(recorded(f"{name}.json"))]) == SAID[name]


@pytest.mark.parametrize("name", STREAMS)
def test_a_caller_of_the_dialect_is_sent_the_very_events(name: str) -> None:
    assert data_lines(relayed(name)) == data_lines(recorded(f"{name}.sse"))
    kinds = [orjson.loads(data)["type"].encode() for data in data_lines(relayed(name))]
    assert [line[7:] for line in relayed(name).split(b"\n") if line.startswith(b"event: ")] == kinds


@pytest.mark.parametrize("name", BOTH)
def test_a_caller_of_the_dialect_is_sent_the_very_body(name: str) -> None:
    assert told_whole(DIALECT, DIALECT, recorded(f"{name}.json")).wire == recorded(f"{name}.json")


@pytest.mark.parametrize("name", STREAMS)
def test_recordings_are_of_the_published_format(name: str) -> None:
    known = ("response.weather_forecast.delta", "keepalive")
    for data in data_lines(recorded(f"{name}.sse")):
        if orjson.loads(data)["type"] not in known:
            EVENT.validate_json(data)
    if name in BOTH:
        Response.model_validate_json(recorded(f"{name}.json"))


@pytest.mark.parametrize("name", BROKEN)
def test_what_broke_off_is_no_answer(name: str) -> None:
    pieces = split(recorded(f"{name}.sse"), list(range(0, 10_000, 100)))
    answer = told(DIALECT, DIALECT, pieces)
    assert isinstance(answer.error, UpstreamDown)
    *_, before, last = [orjson.loads(data) for data in data_lines(answer.wire)]
    assert (last["type"], last["sequence_number"]) == ("error", before["sequence_number"] + 1)
    assert b"response.completed" not in answer.wire
    # What the provider says went wrong is not for its callers.
    assert b"TPM" not in answer.wire


def test_a_failed_whole_answer_is_an_error() -> None:
    with pytest.raises(UpstreamDown):
        ResponsesDecoder("p").whole(recorded("failed.json"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"status": "completed"}',
        b'{"status": "in_progress", "output": []}',
        b'{"status": "queued", "output": []}',
        b'{"status": "cancelled", "output": []}',
        b'{"status": "completed", "output": "x"}',
        b'{"status": "completed", "output": [1]}',
        b'{"status": "completed", "output": [{"type": "function_call", "arguments": "{}"}]}',
    ],
)
def test_what_is_no_whole_answer_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        ResponsesDecoder("p").whole(body)


@pytest.mark.parametrize("kind", ["a\nevent: response.completed", "x" * 97, "", "ü", "data: x"])
def test_no_event_is_named_by_what_is_no_name(kind: str) -> None:
    decoder = ResponsesDecoder("p")
    data = orjson.dumps({"type": kind})
    decoder.decode(data)
    assert decoder.wire(data) == b"data: " + data + b"\n\n"
