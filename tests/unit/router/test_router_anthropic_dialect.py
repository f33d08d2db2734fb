from __future__ import annotations

import orjson
import pytest

from provider_router.adapters.anthropic.decoder import AnthropicDecoder
from provider_router.adapters.http.chat_stream import AT_WORK
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from shared.errors import InvalidInput, UpstreamDown

USAGE = {"input_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 2, "output_tokens": 1}
START = {"type": "message_start", "message": {"usage": USAGE, "content": []}}
USED = TokenUsage(14, 9, cached_input_tokens=7, cache_write_input_tokens=2)
PING = {"type": "ping"}
STOP = {"type": "message_stop"}


def block(index: int, content: dict, *deltas: dict) -> list[dict]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def tool(index: int, call_id: str, name: str, *pieces: str) -> list[dict]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block(index, {"type": "tool_use", "id": call_id, "name": name, "input": {}}, *deltas)


def ending(reason: str, output_tokens: int = 9) -> list[dict]:
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": output_tokens}}
    return [delta, STOP]


def decoded(*events: dict) -> list:
    decoder = AnthropicDecoder("p")
    seen = [event for sent in events for event in decoder.decode(orjson.dumps(sent))]
    return [*seen, decoder.end()]


def test_text_and_usage() -> None:
    events = decoded(START, PING, *text(0, "Hel", "", "lo"), *ending("end_turn"))
    # Cached tokens stand beside the others in the dialect, among them in the contract.
    assert events == [TextDelta("Hel"), TextDelta("lo"), Finished(FinishReason.STOP, USED)]


def test_tools_after_text_are_numbered_from_zero() -> None:
    events = decoded(
        START,
        *text(0, "Let me see"),
        *tool(1, "a", "add", "", '{"x":', "1}"),
        *tool(2, "b", "now"),
        *ending("tool_use"),
    )
    assert events[1:] == [
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(0, "", "", '{"x":'),
        ToolCallDelta(0, "", "", "1}"),
        ToolCallDelta(1, "b", "now", ""),
        ToolCallDelta(1, "", "", "{}"),
        Finished(FinishReason.TOOL_CALLS, USED),
    ]


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.LENGTH),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("new_one", FinishReason.STOP),
    ],
)
def test_stop_reasons(reason: str, meant: FinishReason) -> None:
    assert decoded(START, *ending(reason))[-1].finish_reason is meant


def test_thoughts_are_told_with_what_proves_them() -> None:
    deltas = ({"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "s"})
    thinking = block(0, {"type": "thinking", "thinking": "", "signature": ""}, *deltas)
    redacted = block(1, {"type": "redacted_thinking", "data": "sealed"})
    events = decoded(START, *thinking, *redacted, *text(2, "x"), *ending("end_turn"))
    assert [event for event in events[:-1] if event != AT_WORK] == [
        ThinkingDelta("hm"),
        ThinkingDelta(signature="s"),
        ThinkingDelta(redacted="sealed"),
        TextDelta("x"),
    ]


def test_what_the_providers_own_tools_do_is_nothing_to_the_router() -> None:
    query = {"type": "input_json_delta", "partial_json": '{"query": "x"}'}
    searched = block(0, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, query)
    found = block(1, {"type": "web_search_tool_result", "tool_use_id": "s", "content": []})
    events = decoded(START, *searched, *found, {"type": "new_kind"}, *text(2, "x"), *ending("end_turn"))
    assert [event for event in events if event != AT_WORK] == [TextDelta("x"), Finished(FinishReason.STOP, USED)]


def test_the_text_that_ended_it_is_told() -> None:
    delta = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}
    assert decoded(START, *text(0, "x"), delta, STOP)[-1].stop_text == "END"


@pytest.mark.parametrize(("kind", "head"), [("new kind", b"event: new kind\n"), ("a\nevent: b", b""), ("", b"")])
def test_the_name_of_an_unknown_event_ends_no_line(kind: str, head: bytes) -> None:
    decoder, data = AnthropicDecoder("p"), orjson.dumps({"type": kind})
    decoder.decode(data)
    assert decoder.wire(data) == head + b"data: " + data + b"\n\n"


def test_missing_usage_stays_unknown() -> None:
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    assert decoded({"type": "message_start", "message": {}}, delta, STOP)[-1].usage is None


@pytest.mark.parametrize(
    "events", [[], [START], [START, *text(0, "x")], [START, STOP], [START, *ending("end_turn")[:1]]]
)
def test_an_answer_without_its_end_broke_off(events: list[dict]) -> None:
    with pytest.raises(MalformedAnswerError):
        decoded(*events)


@pytest.mark.parametrize(
    "event",
    [
        {"type": 5},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "a"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 3}},
        {"type": "message_start", "message": {"usage": {"input_tokens": -3}}},
        {"type": "message_start", "message": "x"},
    ],
)
def test_garbage_is_refused(event: dict) -> None:
    with pytest.raises(MalformedAnswerError):
        AnthropicDecoder("p").decode(orjson.dumps(event))


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ({"type": "overloaded_error", "message": "busy"}, UpstreamDown, "PROVIDER_ERROR"),
        ({"type": "rate_limit_error", "message": "busy"}, UpstreamDown, "PROVIDER_RATE_LIMITED"),
        ({"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}, InvalidInput, "CONTEXT_TOO_LONG"),
    ],
)
def test_an_error_within_the_stream(error: dict, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as caught:
        AnthropicDecoder("p").decode(orjson.dumps({"type": "error", "error": error}))
    assert caught.value.reason == reason
