"""Answers and errors as callers of the chat completions dialect get them; streams as in `tests/data/http`."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from router_openai_requests import GOLDEN, surface, wanted_of

from provider_router.domain.calls.answer import Answer, AnswerBuilder
from provider_router.domain.calls.chat import FinishReason, Message, Role
from provider_router.domain.calls.content import RefusalPart, TextPart, ThinkingPart
from provider_router.domain.calls.events import (
    ChatEvent,
    Completed,
    Continued,
    Relayed,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from shared.errors import FieldViolation, InvalidInput, NexusError, Unauthenticated

STARTED = Started("one/gpt", (), demonstration=False, decision_id="d-1")
USAGE = TokenUsage(20, 9, 16, 4)


def completed(reason: FinishReason = FinishReason.STOP, usage: TokenUsage | None = USAGE) -> Completed:
    return Completed(reason, usage, 12)


STREAMS: dict[str, list[ChatEvent]] = {
    "text": [STARTED, TextDelta("Grüße, "), TextDelta('世界\n"'), completed()],
    "tools": [
        STARTED,
        TextDelta("Let me see."),
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(1, "b", "now", ""),
        ToolCallDelta(0, "", "", '{"x"'),
        ToolCallDelta(1, "", "", "{}"),
        ToolCallDelta(0, "", "", ":1}"),
        completed(FinishReason.TOOL_CALLS),
    ],
    "refusal": [
        STARTED,
        TextDelta("I can't", refusal=True),
        TextDelta(" do that.", refusal=True),
        completed(FinishReason.CONTENT_FILTER),
    ],
    "thinking": [
        STARTED,
        ThinkingDelta("Six times"),
        ThinkingDelta(" seven."),
        ThinkingDelta(signature="c2ln"),
        ThinkingDelta(redacted="eHg="),
        TextDelta("42"),
        completed(FinishReason.LENGTH),
    ],
    "empty": [STARTED, completed(FinishReason.CONTENT_FILTER, None)],
}


def streamed(events: list[ChatEvent], *, told_usage: bool = True) -> bytes:
    options = {"stream_options": {"include_usage": True}} if told_usage else {}
    wanted = wanted_of({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True, **options})
    encoder, sent = surface().stream(wanted), b""
    for event in events:
        match event:
            case Started():
                sent += encoder.started(event)
            case Relayed():
                sent += encoder.relayed(event.wire)
            case Completed():
                sent += encoder.completed(event)
            case Continued():
                pass
            case _:
                sent += encoder.delta(event)
    return sent


def chunks_of(sent: bytes) -> list[dict[str, Any]]:
    events = [event.removeprefix(b"data: ") for event in sent.split(b"\n\n") if event]
    assert events[-1] == b"[DONE]"
    return [orjson.loads(event) for event in events[:-1]]


@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_those_of_the_golden_files(name: str) -> None:
    assert streamed(STREAMS[name]).decode() == (GOLDEN / f"{name}.sse").read_text()


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("told_usage", [True, False])
def test_streams_are_of_the_published_format(name: str, told_usage: bool) -> None:
    chunks = [ChatCompletionChunk.model_validate(c) for c in chunks_of(streamed(STREAMS[name], told_usage=told_usage))]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({chunk.id for chunk in chunks}) == 1
    ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
    assert len(ends) == 1
    counted = [chunk for chunk in chunks if not chunk.choices]
    assert len(counted) == (told_usage and name != "empty")


def test_what_is_relayed_is_sent_as_it_is_and_ended() -> None:
    end = Completed(FinishReason.STOP, USAGE, 12, wire=b"data: {2}\n\n")
    assert streamed([STARTED, Relayed(b"data: {1}\n\n"), end]) == b"data: {1}\n\ndata: {2}\n\ndata: [DONE]\n\n"
    assert streamed([STARTED, end]) == b"data: {2}\n\ndata: [DONE]\n\n"
    assert streamed([STARTED, Relayed(b"data: {1}\n\n"), completed()]) == b"data: {1}\n\ndata: [DONE]\n\n"


def test_a_broken_stream_ends_with_an_error_and_is_never_done() -> None:
    encoder = surface().stream(wanted_of({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}))
    encoder.started(STARTED)
    encoder.delta(TextDelta("x"))
    sent = encoder.failed(failure(Reason.STREAM_BROKEN, "It broke off."))
    assert sent.startswith(b"data: ")
    assert sent.endswith(b"\n\n")
    assert orjson.loads(sent.removeprefix(b"data: ")) == {
        "error": {"message": "It broke off.", "type": "server_error", "param": None, "code": "stream_broken"}
    }


def test_a_heartbeat_is_a_comment() -> None:
    encoder = surface().stream(wanted_of({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}))
    assert encoder.heartbeat().startswith(b":")
    assert encoder.heartbeat().endswith(b"\n\n")


def whole(events: list[ChatEvent]) -> dict[str, Any]:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return written(builder.answer())


def written(answer: Answer) -> dict[str, Any]:
    wanted = wanted_of({"model": "m", "messages": [{"role": "user", "content": "Hi"}]})
    body = orjson.loads(surface().whole(wanted, answer))
    ChatCompletion.model_validate(body)
    return body


def test_a_whole_answer() -> None:
    body = whole(STREAMS["text"])
    assert body.pop("id").startswith("chatcmpl-")
    assert body == {
        "object": "chat.completion",
        "created": 1795176000,
        "model": "gpt",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": 'Grüße, 世界\n"', "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 4},
        },
    }


def test_whole_answers_with_tools_refusals_and_thoughts() -> None:
    called = whole([e for e in STREAMS["tools"] if not isinstance(e, TextDelta)])["choices"][0]
    assert called["finish_reason"] == "tool_calls"
    assert called["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "add", "arguments": '{"x":1}'}},
            {"id": "b", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        ],
    }
    refused = whole(STREAMS["refusal"])["choices"][0]
    assert (refused["finish_reason"], refused["message"]["content"]) == ("stop", None)
    assert refused["message"]["refusal"] == "I can't do that."
    thought = whole(STREAMS["thinking"])["choices"][0]
    assert (thought["finish_reason"], thought["message"]["content"]) == ("length", "42")
    assert thought["message"]["reasoning_content"] == "Six times seven."


def test_what_nobody_counted_or_said_is_not_made_up() -> None:
    body = whole(STREAMS["empty"])
    assert "usage" not in body
    assert body["choices"][0]["message"]["content"] == ""
    assert body["choices"][0]["finish_reason"] == "content_filter"


def test_parts_of_one_kind_are_told_together() -> None:
    parts = (ThinkingPart("a"), TextPart("x"), ThinkingPart("b"), TextPart("y"), RefusalPart("no"))
    answer = Answer("m", Message(Role.ASSISTANT, "xyno", parts=parts), FinishReason.STOP, None, 0, (), False)
    message = written(answer)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": "xy", "refusal": "no", "reasoning_content": "ab"}


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (
            InvalidInput("REQUEST_INVALID", "Wrong.", violations=[FieldViolation("messages[0].role", "must be x")]),
            400,
            ("invalid_request_error", "messages[0].role", "request_invalid"),
        ),
        (failure(Reason.MODEL_UNKNOWN, "None."), 404, ("invalid_request_error", "model", "model_not_found")),
        (
            failure(Reason.CONTEXT_TOO_LONG, "Long."),
            400,
            ("invalid_request_error", None, "context_length_exceeded"),
        ),
        (failure(Reason.NO_ROUTE, "None."), 400, ("invalid_request_error", None, "no_route")),
        (Unauthenticated("KEY_UNKNOWN", "Who?"), 401, ("authentication_error", None, "invalid_api_key")),
        (failure(Reason.BUDGET_EXHAUSTED, "Spent."), 429, ("insufficient_quota", None, "insufficient_quota")),
        (failure(Reason.RATE_LIMITED, "Slow."), 429, ("rate_limit_error", None, "rate_limit_exceeded")),
        (failure(Reason.ALL_MODELS_FAILED, "Down."), 503, ("server_error", None, "all_models_failed")),
        (failure(Reason.PROVIDER_TIMEOUT, "Late."), 504, ("server_error", None, "provider_timeout")),
    ],
)
def test_errors(error: NexusError, status: int, told: tuple[str, str | None, str]) -> None:
    given, body = surface().error(error, "request-1")
    kind, param, code = told
    assert given == status
    assert orjson.loads(body) == {"error": {"message": error.message, "type": kind, "param": param, "code": code}}
