"""What providers of the dialect say, as recorded in `data/http/upstream/anthropic_messages`, however it is split."""

from __future__ import annotations

import asyncio
from functools import cache
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_fakes import provider_spec, service_of, target_of
from router_messages import accumulated, check_stream, sent_events
from router_translation import DATA, RecordedClient, surface_of, told, told_whole

from provider_router.adapters.anthropic.whole import decode_whole
from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Reasoning, Role
from provider_router.domain.calls.events import Completed, Finished, Started, TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.provider import ProviderType
from shared.errors import UpstreamDown

DIALECT = "anthropic_messages"
RECORDINGS = DATA / "upstream" / DIALECT
SIGNATURE = "EqQBCkYIBBgCKkBmYWtlZCBzaWduYXR1cmUgZm9yIHRlc3Rz"
BROKEN = ("overloaded", "overloaded_at_once", "truncated", "truncated_event", "truncated_stop")
BOTH = sorted(path.stem for path in RECORDINGS.glob("*.json") if (RECORDINGS / f"{path.stem}.sse").exists())
WHOLE_STREAMS = sorted({path.stem for path in RECORDINGS.glob("*.sse")} - set(BROKEN))
ENDED = {
    "text": Finished(FinishReason.STOP, TokenUsage(12, 6)),
    "length": Finished(FinishReason.LENGTH, TokenUsage(12, 8)),
    "tools": Finished(FinishReason.TOOL_CALLS, TokenUsage(310, 97)),
    "thinking": Finished(FinishReason.STOP, TokenUsage(40, 29, reasoning_tokens=20)),
    "thinking_tools": Finished(FinishReason.TOOL_CALLS, TokenUsage(400, 64)),
    "redacted": Finished(FinishReason.STOP, TokenUsage(40, 31)),
    "refusal": Finished(FinishReason.CONTENT_FILTER, TokenUsage(22, 4)),
    "stop_sequence": Finished(FinishReason.STOP, TokenUsage(18, 7), stop_text="three"),
    "cache": Finished(FinishReason.STOP, TokenUsage(2569, 3, 2048, cache_write_input_tokens=512)),
    "multibyte": Finished(FinishReason.STOP, TokenUsage(20, 25)),
    "odd": Finished(FinishReason.STOP, TokenUsage(30, 11)),
}


@cache
def recorded(name: str) -> bytes:
    return (RECORDINGS / name).read_bytes()


def events_of(chunks: list[bytes]) -> list:
    """What the router understands of a stream, thoughts included, for a caller of another dialect."""
    service = service_of("p/m", provider=provider_spec("p", type=ProviderType.ANTHROPIC))
    model = AnthropicChatModel(RecordedClient(chunks), service, target_of(service), "")  # type: ignore[arg-type]
    asked = ChatRequest((Message(Role.USER, "Hi"),), reasoning=Reasoning("low", shown=True))

    async def read() -> list:
        return [event async for event in model.stream(asked)]

    return asyncio.run(read())


@cache
def understood(name: str) -> list:
    return events_of([recorded(f"{name}.sse")])


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(places)]


def published(name: str) -> list[dict]:
    """The JSON of all events of a recording."""
    blocks = recorded(name).decode().replace("\r\n", "\n").split("\n\n")
    datas = ("\n".join(line[6:] for line in block.split("\n") if line.startswith("data: ")) for block in blocks)
    return [orjson.loads(data) for data in datas if data]


def put_together(events: list) -> tuple:
    builder = AnswerBuilder()
    builder.add(Started("p/m", (), demonstration=False))
    for event in events:
        end = isinstance(event, Finished)
        builder.add(Completed(event.finish_reason, event.usage, 0, stop_text=event.stop_text) if end else event)
    answer = builder.answer()
    return answer.message, answer.finish_reason, answer.usage, answer.stop_text


def test_what_is_said_is_understood() -> None:
    assert understood("tools")[:-1] == [
        TextDelta("Let me look."),
        ToolCallDelta(0, "toolu_01A", "weather", ""),
        ToolCallDelta(0, "", "", '{"city": "Par'),
        ToolCallDelta(0, "", "", 'is", "unit'),
        ToolCallDelta(0, "", "", 's": "°C"}'),
        ToolCallDelta(1, "toolu_01B", "weather", ""),
        ToolCallDelta(1, "", "", '{"city"'),
        ToolCallDelta(1, "", "", ': "São '),
        ToolCallDelta(1, "", "", 'Paulo"}'),
        ToolCallDelta(2, "toolu_01C", "now", ""),
        ToolCallDelta(2, "", "", "{}"),
    ]
    assert understood("odd")[:-1] == [TextDelta("Odd"), TextDelta(" enough"), TextDelta(".")]
    assert "".join(event.text for event in understood("multibyte")[:-1]) == "Grüße: 日本語 👩‍👩‍👧 🇫🇷 e\u0301 \u2028done"
    assert understood("thinking")[:-1] == [
        ThinkingDelta("17 times 3"),
        ThinkingDelta(" is 51."),
        ThinkingDelta(signature=SIGNATURE),
        TextDelta("It is "),
        TextDelta("51."),
    ]


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_how_it_ended(name: str) -> None:
    assert understood(name)[-1] == ENDED[name]


@pytest.mark.parametrize("name", BOTH)
def test_a_whole_answer_says_what_its_stream_says(name: str) -> None:
    said = put_together(list(decode_whole("p")(recorded(f"{name}.json"))))
    message, *ended = put_together(understood(name))
    assert (said[0].text, said[0].parts, list(said[1:])) == (message.text, message.parts, ended)
    calls = [
        [(call.id, call.name, orjson.loads(call.arguments_json)) for call in m.tool_calls] for m in (said[0], message)
    ]
    assert calls[0] == calls[1]


def test_the_thoughts_of_a_whole_answer() -> None:
    assert decode_whole("p")(recorded("thinking.json"))[0] == ThinkingDelta("17 times 3 is 51.", SIGNATURE)
    assert decode_whole("p")(recorded("redacted.json"))[0] == ThinkingDelta(redacted="ZW5jcnlwdGVkIHRob3VnaHRz")


@pytest.mark.parametrize("name", WHOLE_STREAMS)
def test_a_caller_of_the_dialect_is_sent_the_stream_as_it_is(name: str) -> None:
    wire = told(DIALECT, DIALECT, [recorded(f"{name}.sse")]).wire
    assert sent_events(wire) == published(f"{name}.sse")
    if name != "odd":
        check_stream(sent_events(wire))
        assert accumulated(wire).id == published(f"{name}.sse")[0]["message"]["id"]


@pytest.mark.parametrize("name", BOTH)
def test_a_caller_of_the_dialect_is_sent_a_whole_answer_as_it_is(name: str) -> None:
    assert told_whole(DIALECT, DIALECT, recorded(f"{name}.json")).wire == recorded(f"{name}.json")


@given(st.sampled_from(WHOLE_STREAMS), st.lists(st.integers(0, 10_000), max_size=30))
def test_splitting_a_stream_anywhere_changes_nothing(name: str, cuts: list[int]) -> None:
    pieces = split(recorded(f"{name}.sse"), cuts)
    assert events_of(pieces) == understood(name)
    assert told(DIALECT, DIALECT, pieces).wire == told(DIALECT, DIALECT, [recorded(f"{name}.sse")]).wire


@pytest.mark.parametrize("name", ["multibyte", "odd"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pieces_of_a_few_bytes_change_nothing(name: str, size: int) -> None:
    stream = recorded(f"{name}.sse")
    assert events_of(split(stream, list(range(0, len(stream), size)))) == understood(name)


@pytest.mark.parametrize("name", BROKEN)
def test_what_broke_off_is_no_answer(name: str) -> None:
    with pytest.raises(UpstreamDown):
        events_of([recorded(f"{name}.sse")])
    relayed = told(DIALECT, DIALECT, [recorded(f"{name}.sse")])
    assert isinstance(relayed.error, UpstreamDown)
    events = sent_events(relayed.wire)
    # Its error is the last that the caller hears, and said once.
    assert [event["type"] for event in events].count("error") == 1
    assert events[-1]["type"] == "error"


@pytest.mark.parametrize("cut", range(0, 1400, 97))
def test_a_stream_that_is_cut_anywhere_is_no_answer(cut: int) -> None:
    stream = recorded("tools.sse")
    relayed = told(DIALECT, DIALECT, [stream[: len(stream) - 10 - cut]])
    assert isinstance(relayed.error, UpstreamDown)
    assert sent_events(relayed.wire)[-1]["type"] == "error"


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(UpstreamDown):
        decode_whole("p")(recorded("error.json"))


@pytest.mark.parametrize(
    "body",
    [
        recorded("no_stop_reason.json"),
        b"",
        b"[]",
        b"{}",
        b'{"stop_reason": "end_turn", "content": "x"}',
        b'{"stop_reason": "end_turn", "content": [1]}',
        b'{"stop_reason": "tool_use", "content": [{"type": "tool_use", "id": "a", "input": {}}]}',
        b'{"stop_reason": "tool_use", "content": [{"type": "tool_use", "id": "a", "name": "n", "input": []}]}',
    ],
)
def test_what_is_no_whole_answer_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        decode_whole("p")(body)


def test_arguments_that_are_deeper_than_can_be_written_are_no_answer() -> None:
    deep = b"[" * 400 + b"]" * 400
    call = b'{"type": "tool_use", "id": "a", "name": "f", "input": {"x": %b}}' % deep
    with pytest.raises(MalformedAnswerError, match="too deep"):
        decode_whole("p")(b'{"type": "message", "stop_reason": "tool_use", "content": [%b]}' % call)


@pytest.mark.parametrize(("kept", "beta"), [(True, "fast-mode-2026-02-01"), (False, None)])
async def test_a_provider_of_the_dialect_is_told_what_its_caller_opts_into(kept: bool, beta: str | None) -> None:
    surface = surface_of(DIALECT)
    body = {"model": "p/m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "container": "c"}
    asked = surface.read(body, {"anthropic-beta": "fast-mode-2026-02-01"}).request
    service = service_of("p/m", provider=provider_spec("p", type=ProviderType.ANTHROPIC))
    client = RecordedClient([recorded("text.json")])
    model = AnthropicChatModel(client, service, target_of(service), "sk-1")  # type: ignore[arg-type]
    events = [event async for event in model.stream(fitted(asked, service, relayed=kept).request)]
    assert client.asked.headers.get("anthropic-beta") == beta
    assert client.asked.headers["x-api-key"] == "sk-1"
    sent = orjson.loads(client.asked.body)
    assert (sent.get("container"), sent["stream"]) == ("c" if kept else None, False)
    assert events[-1].wire == (recorded("text.json") if kept else b"")
