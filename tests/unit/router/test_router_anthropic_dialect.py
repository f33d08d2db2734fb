from __future__ import annotations

import orjson
import pytest
from router_fakes import service_of

from provider_router.adapters.anthropic.decoder import AnthropicDecoder
from provider_router.adapters.anthropic.payload import messages_body
from provider_router.adapters.http.chat_stream import Thinking
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role, Tool, ToolCall
from provider_router.domain.calls.events import Finished, TextDelta, ToolCallDelta
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


def test_thinking_and_unknown_events_are_not_passed_on() -> None:
    thinking = block(0, {"type": "thinking"}, {"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta"})
    events = decoded(START, *thinking, {"type": "new_kind"}, *text(1, "x"), *ending("end_turn"))
    assert next(event for event in events if event != Thinking()) == TextDelta("x")


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


def test_the_request_body() -> None:
    request = ChatRequest(
        messages=(
            Message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, "1+1?"),
            Message(Role.SYSTEM, "In French."),
            Message(Role.ASSISTANT, "", (ToolCall("a", "add", '{"x":1}'), ToolCall("b", "now", ""))),
            Message(Role.TOOL, "2", tool_call_id="a"),
            Message(Role.TOOL, "noon", tool_call_id="b"),
            Message(Role.USER, "And?"),
        ),
        tools=(Tool("add", "Adds.", {"type": "object"}),),
        response_schema={"type": "object"},
        temperature=0.5,
        max_output_tokens=7,
        stop=("END",),
    )
    assert orjson.loads(messages_body(service_of("one/claude"), request)) == {
        "model": "claude",
        "max_tokens": 7,
        "stream": True,
        "system": "Be brief.\n\nIn French.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "1+1?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "a", "name": "add", "input": {"x": 1}},
                    {"type": "tool_use", "id": "b", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "2"},
                    {"type": "tool_result", "tool_use_id": "b", "content": "noon"},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        "tools": [{"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}],
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "temperature": 0.5,
        "stop_sequences": ["END"],
    }


@pytest.mark.parametrize(("configured", "sent"), [(0, 4096), (99, 99)])
def test_the_limit_that_the_dialect_demands(configured: int, sent: int) -> None:
    request = ChatRequest((Message(Role.USER, "Hi"),))
    body = orjson.loads(messages_body(service_of(max_output_tokens=configured), request))
    assert body["max_tokens"] == sent


@pytest.mark.parametrize("arguments", ["{", "[]", "3"])
def test_earlier_arguments_must_be_an_object(arguments: str) -> None:
    call = Message(Role.ASSISTANT, "", (ToolCall("a", "add", arguments),))
    with pytest.raises(InvalidInput) as caught:
        messages_body(service_of(), ChatRequest((Message(Role.USER, "Hi"), call)))
    assert caught.value.reason == "INVALID_MESSAGES"
