from __future__ import annotations

import anthropic
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_messages import accumulated, check_stream, client_of, sent_events

from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import (
    Completed,
    Delta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http.anthropic_messages.surface import AnthropicMessages
from shared.errors import Forbidden, Internal, InvalidInput, NexusError, NotFound, Unauthenticated, UpstreamDown
from shared.testing.fakes import SequenceIds

SURFACE = AnthropicMessages(SequenceIds("id"))
STARTED = Started("one/m", (), demonstration=False)
USAGE = TokenUsage(100, 20, cached_input_tokens=60, reasoning_tokens=5, cache_write_input_tokens=30)
DONE = Completed(FinishReason.STOP, USAGE, 7)
ASKED = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
WANTED = SURFACE.read(ASKED, {})


def streamed(*events: Delta, done: Completed = DONE) -> bytes:
    encoder = SURFACE.stream(WANTED)
    pieces = [encoder.started(STARTED), *map(encoder.delta, events), encoder.completed(done)]
    return b"".join(pieces)


def whole(*events: Delta, done: Completed = DONE) -> dict:
    builder = AnswerBuilder()
    for event in (STARTED, *events, done):
        builder.add(event)
    return orjson.loads(SURFACE.whole(WANTED, builder.answer()))


def call(index: int, *pieces: str) -> list[ToolCallDelta]:
    return [
        ToolCallDelta(index, f"call-{index}", f"tool-{index}", ""),
        *(ToolCallDelta(index, "", "", piece) for piece in pieces),
    ]


def test_blocks_in_the_order_in_which_they_come() -> None:
    wire = streamed(
        ThinkingDelta("Hm"),
        ThinkingDelta(" hm."),
        ThinkingDelta(signature="sig"),
        ThinkingDelta(redacted="sealed"),
        TextDelta("It is "),
        TextDelta("51."),
        *call(0, '{"x":', "1}"),
        *call(1, "{}"),
        done=Completed(FinishReason.TOOL_CALLS, USAGE, 7),
    )
    check_stream(sent_events(wire))
    message = accumulated(wire)
    assert [block.to_dict() for block in message.content] == [
        {"type": "thinking", "thinking": "Hm hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "It is 51."},
        {"type": "tool_use", "id": "call-0", "name": "tool-0", "input": {"x": 1}},
        {"type": "tool_use", "id": "call-1", "name": "tool-1", "input": {}},
    ]
    assert (message.model, message.stop_reason, message.stop_sequence) == ("m", "tool_use", None)


def test_tokens_of_the_cache_are_counted_beside_the_others() -> None:
    expected = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    assert whole(TextDelta("x"))["usage"] == expected
    assert accumulated(streamed(TextDelta("x"))).usage.to_dict() == expected


@pytest.mark.parametrize(
    ("done", "reason", "sequence"),
    [
        (Completed(FinishReason.STOP, None, 0), "end_turn", None),
        (Completed(FinishReason.STOP, None, 0, stop_text="END"), "stop_sequence", "END"),
        (Completed(FinishReason.LENGTH, None, 0), "max_tokens", None),
        (Completed(FinishReason.CONTENT_FILTER, None, 0), "refusal", None),
    ],
)
def test_why_it_stopped(done: Completed, reason: str, sequence: str | None) -> None:
    message = whole(TextDelta("x"), done=done)
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, sequence)
    assert message["usage"]["input_tokens"] == 0
    told = accumulated(streamed(TextDelta("x"), done=done))
    assert (told.stop_reason, told.stop_sequence) == (reason, sequence)


def test_the_official_client_reads_a_whole_message() -> None:
    body = whole(ThinkingDelta("Hm.", "sig"), TextDelta("No", refusal=True), *call(0, '{"x": 1}'))
    with client_of(orjson.dumps(body), "application/json") as client:
        message = client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].input == {"x": 1}
    assert message.id.startswith("msg_")
    anthropic.types.Message.model_validate(body)


def test_interleaved_calls_become_blocks_one_after_the_other() -> None:
    (open_0, first_0, rest_0), (open_1, first_1, rest_1) = call(0, '{"a":', "1}"), call(1, '{"b":', "2}")
    wire = streamed(open_0, open_1, first_0, first_1, TextDelta("x"), rest_1, rest_0)
    check_stream(sent_events(wire))
    assert [block.input if block.type == "tool_use" else block.text for block in accumulated(wire).content] == [
        {"a": 1},
        {"b": 2},
        "x",
    ]


def test_a_call_is_told_as_it_comes_once_the_one_before_is_complete() -> None:
    encoder = SURFACE.stream(WANTED)
    encoder.started(STARTED)
    for event in call(0, '{"a": 1}'):
        assert encoder.delta(event)
    assert all(map(encoder.delta, call(1, '{"b"', ": 2}")))
    assert encoder.delta(ToolCallDelta(0, "", "", " \n")) == b""
    with pytest.raises(UpstreamDown):
        encoder.delta(ToolCallDelta(0, "", "", "{}"))


def test_arguments_that_come_after_an_empty_object_are_not_lost() -> None:
    # Some servers say that there are none, and then give them.
    wire = streamed(*call(0, "{}"), *call(1, '{"b": 2}'))
    assert [block.input for block in accumulated(wire).content] == [{}, {"b": 2}]


def test_arguments_may_be_deeper_than_can_be_written() -> None:
    deep = '{"x": ' + "[" * 400 + "]" * 400 + "}"
    assert whole(*call(0, deep))["content"][0]["input"] == orjson.loads(deep)


def test_arguments_that_are_no_object_are_no_answer() -> None:
    for arguments in ("[]", '{"x":', "1"):
        with pytest.raises(UpstreamDown) as caught:
            whole(*call(0, arguments))
        assert caught.value.reason == "PROVIDER_BAD_RESPONSE"
    cut = whole(*call(0, '{"x":'), done=Completed(FinishReason.LENGTH, None, 0))
    assert cut["content"][0]["input"] == {}
    assert cut["stop_reason"] == "max_tokens"


def test_an_answer_of_nothing_is_a_whole_stream() -> None:
    check_stream(sent_events(streamed()))
    assert accumulated(streamed()).content == []


def test_relayed_answers_reach_the_caller_as_they_are() -> None:
    encoder = SURFACE.stream(WANTED)
    pieces = [encoder.started(STARTED), encoder.relayed(b"event: a\ndata: {}\n\n"), encoder.relayed(b"")]
    rest = Completed(FinishReason.STOP, None, 0, wire=b"event: message_stop\ndata: {}\n\n")
    assert b"".join([*pieces, encoder.completed(rest)]) == b"event: a\ndata: {}\n\nevent: message_stop\ndata: {}\n\n"


@pytest.mark.parametrize("before", [[], [TextDelta("x")]])
def test_the_official_client_raises_for_a_stream_that_failed(before: list[Delta]) -> None:
    encoder = SURFACE.stream(WANTED)
    told = [encoder.started(STARTED), *map(encoder.delta, before), encoder.heartbeat()]
    told.append(encoder.failed(failure(Reason.STREAM_BROKEN, "It broke off.")))
    assert b"".join(told).count(b"event: error\n") == 1
    with pytest.raises(anthropic.APIStatusError) as caught:
        accumulated(b"".join(told))
    assert caught.value.body == {"type": "error", "error": {"type": "api_error", "message": "It broke off."}}


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidInput("REQUEST_INVALID", "m"), 400, "invalid_request_error"),
        (Unauthenticated("NO_KEY", "m"), 401, "authentication_error"),
        (Forbidden("NO", "m"), 403, "permission_error"),
        (NotFound("PATH_UNKNOWN", "m"), 404, "not_found_error"),
        (failure(Reason.MODEL_UNKNOWN, "m"), 404, "not_found_error"),
        (InvalidInput("METHOD_NOT_ALLOWED", "m"), 405, "invalid_request_error"),
        (InvalidInput("BODY_TOO_LARGE", "m"), 413, "request_too_large"),
        (failure(Reason.RATE_LIMITED, "m"), 429, "rate_limit_error"),
        (failure(Reason.PROVIDER_RATE_LIMITED, "m"), 429, "rate_limit_error"),
        (failure(Reason.BUDGET_EXHAUSTED, "m"), 429, "billing_error"),
        (failure(Reason.NO_ROUTE, "m"), 400, "invalid_request_error"),
        (Internal("INTERNAL", "m"), 500, "api_error"),
        (failure(Reason.ALL_MODELS_FAILED, "m"), 503, "api_error"),
        (failure(Reason.DEPLOYMENTS_BUSY, "m"), 529, "overloaded_error"),
        (failure(Reason.CIRCUIT_OPEN, "m"), 529, "overloaded_error"),
        (failure(Reason.DEADLINE_EXCEEDED, "m"), 504, "timeout_error"),
    ],
)
def test_errors(error: NexusError, status: int, kind: str) -> None:
    told, body = SURFACE.error(error, "req_1")
    assert told == status
    assert orjson.loads(body) == {"type": "error", "error": {"type": kind, "message": "m"}, "request_id": "req_1"}
    if status != 413:
        # The client's types leave out the one that only edges say.
        anthropic.types.ErrorResponse.model_validate_json(body)


TEXTS = st.text(min_size=1, max_size=4)
DELTAS = st.one_of(
    st.builds(TextDelta, TEXTS),
    st.builds(ThinkingDelta, TEXTS),
    st.builds(lambda signature: ThinkingDelta(signature=signature), TEXTS),
    st.builds(lambda redacted: ThinkingDelta(redacted=redacted), TEXTS),
    st.integers(0, 3),
)


@given(st.lists(DELTAS, max_size=25), st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_any_order_of_pieces_makes_blocks_one_after_the_other(drawn: list[Delta | int], sizes: list[int]) -> None:
    """A number stands for the next piece of the tool call that has it; what is left of the calls comes last."""
    arguments = {index: f'{{"of": {index}, "é": "ü"}}' for index in range(4)}
    pieces = {
        index: call(index, *(text[at : at + size] for at in range(0, len(text), size)))
        for (index, text), size in zip(arguments.items(), sizes, strict=True)
    }
    events = [pieces[each].pop(0) if pieces[each] else TextDelta("-") for each in drawn if type(each) is int]
    order = iter(events)
    told = [next(order) if type(each) is int else each for each in drawn]
    opened = {event.index for event in told if isinstance(event, ToolCallDelta)}
    told += [piece for index in sorted(opened) for piece in pieces[index]]
    wire = streamed(*told)
    check_stream(sent_events(wire))
    content = accumulated(wire).content
    inputs = {block.name: block.input for block in content if block.type == "tool_use"}
    assert inputs == {f"tool-{index}": {"of": index, "é": "ü"} for index in opened}
    # Words keep their order, whatever waits for a call to be complete.
    for kind, field in ((TextDelta, "text"), (ThinkingDelta, "thinking")):
        said = "".join(event.text for event in told if isinstance(event, kind))
        assert "".join(getattr(block, field) for block in content if block.type == field) == said
