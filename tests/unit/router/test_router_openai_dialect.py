from __future__ import annotations

import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_fakes import provider_spec, service_of

from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.http.server_sent_events import EventParser
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.adapters.openai.payload import chat_body
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role, Tool, ToolCall
from provider_router.domain.calls.events import Finished, TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from shared.errors import InvalidInput, UpstreamDown


def chunk(delta: dict | None = None, finish: str | None = None, **fields: object) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return orjson.dumps({"object": "chat.completion.chunk", "choices": choices, **fields})


def decoded(*chunks: bytes) -> list:
    decoder = OpenAIDecoder("p")
    events = [event for data in chunks for event in decoder.decode(data)]
    return [*events, decoder.end()]


def call(index: int | None, call_id: str | None = None, name: str | None = None, arguments: str | None = None) -> bytes:
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    piece: dict = {"function": function}
    if index is not None:
        piece["index"] = index
    if call_id is not None:
        piece["id"] = call_id
    return chunk({"tool_calls": [piece]})


def test_text_usage_and_finish() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    events = decoded(
        chunk({"role": "assistant", "content": None}),
        chunk({"content": ""}),
        chunk({"content": "Hel"}),
        chunk({"content": "lo"}, usage=None),
        chunk({}, "stop"),
        chunk(None, usage=usage),
        b"[DONE]",
    )
    assert events == [TextDelta("Hel"), TextDelta("lo"), Finished(FinishReason.STOP, TokenUsage(9, 5, 4, 2))]


def test_missing_usage_stays_unknown() -> None:
    assert decoded(chunk({"content": "x"}, "stop"))[-1] == Finished(FinishReason.STOP, None)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("eos", FinishReason.STOP),
        ("tool_calls", FinishReason.STOP),
    ],
)
def test_finish_reasons(sent: str, meant: FinishReason) -> None:
    assert decoded(chunk({"content": "x"}, sent))[-1].finish_reason is meant


def test_parallel_tool_calls_whose_pieces_alternate() -> None:
    events = decoded(
        call(0, "a", "add", ""),
        call(1, "b", "now", ""),
        call(0, None, None, '{"x"'),
        call(1, None, None, "{}"),
        call(0, None, None, ":1}"),
        chunk({}, "stop"),
    )
    assert events == [
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(1, "b", "now", ""),
        ToolCallDelta(0, "", "", '{"x"'),
        ToolCallDelta(1, "", "", "{}"),
        ToolCallDelta(0, "", "", ":1}"),
        Finished(FinishReason.TOOL_CALLS, None),
    ]


@pytest.mark.parametrize("index", [0, None])
def test_calls_that_share_an_index_are_told_apart_by_id(index: int | None) -> None:
    events = decoded(call(index, "a", "add", "{}"), call(index, "b", "now", "{}"), chunk({}, "tool_calls"))
    assert [(e.index, e.id) for e in events if isinstance(e, ToolCallDelta) and e.id] == [(0, "a"), (1, "b")]


def test_id_and_name_come_once_even_when_repeated() -> None:
    events = decoded(call(0, "a", "add", "{"), call(0, "a", "add", "}"), chunk({}, "tool_calls"))
    assert [(e.id, e.name) for e in events[:-1]] == [("a", "add"), ("", ""), ("", "")]


def test_a_call_without_id_gets_one_and_one_without_arguments_gets_an_empty_object() -> None:
    events = decoded(call(0, None, "now"), chunk({}, "tool_calls"))
    assert events[:-1] == [ToolCallDelta(0, "call_0", "now", ""), ToolCallDelta(0, "", "", "{}")]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_what_the_model_thinks(name: str) -> None:
    events = decoded(chunk({name: "hm", "content": None}), chunk({name: "!", "content": "x"}, "stop"))
    assert events[:-1] == [ThinkingDelta("hm"), ThinkingDelta("!"), TextDelta("x")]


def test_a_refusal_is_text_and_says_so_at_the_end() -> None:
    events = decoded(chunk({"refusal": "No."}), chunk({}, "stop"))
    assert events == [TextDelta("No.", refusal=True), Finished(FinishReason.CONTENT_FILTER, None)]


@pytest.mark.parametrize("word", ["error", "network_error", "insufficient_system_resource", "abort"])
def test_an_answer_that_the_server_could_not_finish_is_none(word: str) -> None:
    with pytest.raises(MalformedAnswerError):
        decoded(chunk({"content": "x"}), chunk({}, word))


def test_the_text_that_ended_the_answer_is_told() -> None:
    ended = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop", "stop_reason": "END"}]}
    assert decoded(orjson.dumps(ended))[-1] == Finished(FinishReason.STOP, None, stop_text="END")


def test_a_custom_tools_input_stands_for_arguments() -> None:
    opening = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "shell", "input": ""}}
    events = decoded(
        chunk({"tool_calls": [opening]}),
        chunk({"tool_calls": [{"index": 0, "custom": {"input": "ls"}}]}),
        chunk({}, "tool_calls"),
    )
    assert events[:-1] == [ToolCallDelta(0, "a", "shell", ""), ToolCallDelta(0, "", "", "ls")]


def test_a_second_end_changes_nothing() -> None:
    assert decoded(chunk({"content": "x"}), chunk({}, "stop"), chunk({}, "stop"))[-1].finish_reason is FinishReason.STOP


@pytest.mark.parametrize("chunks", [[], [b"[DONE]"], [chunk({"content": "x"})], [chunk({"content": "x"}), b"[DONE]"]])
def test_an_answer_without_a_finish_reason_broke_off(chunks: list[bytes]) -> None:
    with pytest.raises(MalformedAnswerError):
        decoded(*chunks)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"<html>",
        b"[]",
        b"null x",
        b'"text"',
        b"\xff\xfe",
        b'{"choices": {}}',
        b'{"choices": [1]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
        b'{"choices": [{"delta": []}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": -1, "function": {"name": "x"}}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "x"}}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "x", "arguments": {}}}]}}]}',
        b'{"choices": [], "usage": {"prompt_tokens": -1}}',
        b'{"choices": [], "usage": {"prompt_tokens": "many"}}',
    ],
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        OpenAIDecoder("p").decode(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "content",
                        "tool_calls",
                        "function",
                        "index",
                        "usage",
                        "finish_reason",
                        "prompt_tokens",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_json_raises_anything_else(value: object) -> None:
    with contextlib.suppress(MalformedAnswerError):
        OpenAIDecoder("p").decode(orjson.dumps(value))


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        ({"message": "boom", "type": "server_error"}, UpstreamDown, "PROVIDER_ERROR"),
        ("boom", UpstreamDown, "PROVIDER_ERROR"),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, UpstreamDown, "PROVIDER_RATE_LIMITED"),
        ({"message": "x", "code": "context_length_exceeded"}, InvalidInput, "CONTEXT_TOO_LONG"),
    ],
)
def test_an_error_within_the_stream(error: object, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as caught:
        OpenAIDecoder("p").decode(orjson.dumps({"error": error}))
    assert caught.value.reason == reason
    assert "boom" not in str(caught.value)


def test_endless_answers_are_cut() -> None:
    piece = chunk({"content": "x" * 100_000})
    with pytest.raises(MalformedAnswerError, match="text is too long"):
        decoded(*[piece] * 50)
    with pytest.raises(MalformedAnswerError, match="arguments are too long"):
        decoded(call(0, "a", "add"), *[call(0, None, None, "x" * 100_000)] * 20)
    with pytest.raises(MalformedAnswerError, match="too many tool calls"):
        decoded(*(call(i, str(i), "add") for i in range(200)))


STREAM = b"".join(
    b"data: " + data + b"\r\n\r\n"
    for data in [
        chunk({"content": "Grüße, 世界"}),
        call(0, "a", "add", '{"x":'),
        call(0, None, None, "1}"),
        chunk({}, "tool_calls"),
        chunk(None, usage={"prompt_tokens": 3, "completion_tokens": 2}),
        b"[DONE]",
    ]
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_splitting_an_answer_anywhere_gives_the_same_events(cuts: list[int]) -> None:
    places = sorted(set(cuts))
    parser = EventParser(10_000)
    payloads = [
        data for a, b in zip([0, *places], [*places, len(STREAM)], strict=True) for data in parser.feed(STREAM[a:b])
    ]
    assert decoded(*payloads) == [
        TextDelta("Grüße, 世界"),
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(0, "", "", '{"x":'),
        ToolCallDelta(0, "", "", "1}"),
        Finished(FinishReason.TOOL_CALLS, TokenUsage(3, 2)),
    ]


def test_the_request_body() -> None:
    request = ChatRequest(
        messages=(
            Message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, "1+1?"),
            Message(Role.ASSISTANT, "", (ToolCall("a", "add", '{"x":1}'), ToolCall("b", "now", ""))),
            Message(Role.TOOL, "2", tool_call_id="a"),
        ),
        tools=(Tool("add", "Adds.", {"type": "object"}),),
        response_schema={"type": "object"},
        temperature=0.0,
        max_output_tokens=7,
        stop=("END",),
    )
    body = orjson.loads(chat_body(service_of("one/gpt"), request))
    assert body == {
        "model": "gpt",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1+1?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x":1}'}},
                    {"id": "b", "type": "function", "function": {"name": "now", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "content": "2", "tool_call_id": "a"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
            }
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}},
        },
        "temperature": 0.0,
        "max_tokens": 7,
        "stop": ["END"],
    }


def test_what_is_not_set_is_not_sent() -> None:
    body = orjson.loads(chat_body(service_of(), ChatRequest((Message(Role.USER, "Hi"),))))
    assert set(body) == {"model", "messages", "stream", "stream_options"}


def test_the_limit_goes_by_the_providers_name_and_defaults_to_the_models() -> None:
    spec = service_of(provider=provider_spec(max_tokens_parameter="max_completion_tokens"), max_output_tokens=99)
    body = orjson.loads(chat_body(spec, ChatRequest((Message(Role.USER, "Hi"),))))
    assert body["max_completion_tokens"] == 99
    assert "max_tokens" not in body
