"""OpenAI's Responses, as callers are answered: what the official client makes of it, whole and streamed."""

from __future__ import annotations

from typing import Any, cast

import httpx2
import openai
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import (
    ChatEvent,
    Completed,
    Delta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from provider_router.servicer.http.surface import StreamEncoder, Wanted
from shared.errors import NexusError
from shared.testing.fakes import FakeClock, SequenceIds

USED = TokenUsage(20, 9, 8, 3, 2)
STARTED = Started("p/m", (), demonstration=False)
TOOL = {"type": "function", "name": "add", "parameters": {"type": "object"}}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
BROKEN = failure(Reason.STREAM_BROKEN, "The answer broke off.")


def surface() -> ResponsesSurface:
    return ResponsesSurface(FakeClock(), SequenceIds("r"))


def wanted(of: ResponsesSurface, **fields: Any) -> Wanted:
    return of.read({"model": "p/m", "input": "Hello", "tools": [TOOL], **fields}, {})


def completed(finish: FinishReason = FinishReason.STOP, usage: TokenUsage | None = USED) -> Completed:
    return Completed(finish, usage, 12)


def written(encoder: StreamEncoder, *events: ChatEvent) -> bytes:
    return encoder.started(STARTED) + b"".join(
        encoder.completed(event) if isinstance(event, Completed) else encoder.delta(cast("Delta", event))
        for event in events
    )


def streamed(*events: ChatEvent, **fields: Any) -> bytes:
    of = surface()
    return written(of.stream(wanted(of, stream=True, **fields)), *events)


def whole(*events: ChatEvent, **fields: Any) -> dict[str, Any]:
    of, builder = surface(), AnswerBuilder()
    for event in (STARTED, *events):
        builder.add(event)
    return orjson.loads(of.whole(wanted(of, **fields), builder.answer()))


def data_of(wire: bytes) -> list[dict[str, Any]]:
    """The events; each must be named by its own type, and be of the published form."""
    found = list[dict[str, Any]]()
    for event in wire.removesuffix(b"\n\n").split(b"\n\n"):
        name, data = event.split(b"\n")
        found.append(orjson.loads(data.removeprefix(b"data: ")))
        assert name == b"event: " + found[-1]["type"].encode()
        EVENT.validate_json(data.removeprefix(b"data: "))
    return found


def client(wire: bytes, kind: str = "text/event-stream") -> openai.OpenAI:
    answer = httpx2.Response(200, content=wire, headers={"content-type": kind})
    transport = httpx2.MockTransport(lambda _: answer)
    return openai.OpenAI(api_key="k", base_url="http://n/v1", http_client=httpx2.Client(transport=transport))


def accumulated(wire: bytes) -> dict[str, Any]:
    """What the official client has in the end, without what it adds itself."""
    with client(wire) as asked, asked.responses.stream(model="p/m", input="Hello") as stream:
        *_, last = stream
        is_cut = last.type == "response.incomplete"
        response = cast("dict[str, Any]", (last.response if is_cut else stream.get_final_response()).to_dict())
    for item in response["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content", ()):
            part.pop("parsed", None)
    return response


SAID: list[ChatEvent] = [
    ThinkingDelta("Let me "),
    ThinkingDelta("see."),
    ThinkingDelta(signature="abc"),
    TextDelta("I a"),
    TextDelta("dd ü 🦊."),
    ToolCallDelta(0, "call_a", "add", ""),
    ToolCallDelta(0, "", "", '{"x"'),
    ToolCallDelta(1, "call_b", "add", ""),
    ToolCallDelta(0, "", "", ":1}"),
    ToolCallDelta(1, "", "", "{}"),
    completed(FinishReason.TOOL_CALLS),
]


def test_a_whole_answer_is_what_the_official_client_expects() -> None:
    body = whole(*SAID, instructions="Be brief.", metadata={"a": "b"}, max_output_tokens=9)
    response = Response.model_validate(body)
    assert (response.status, response.model, response.id) == ("completed", "m", "resp_r0001")
    assert response.output_text == "I add ü 🦊."
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert response.output[0].model_dump(exclude_unset=True) == {
        "id": "rs_r000100",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Let me see."}],
        "encrypted_content": "nexus-signed:abc",
    }
    assert response.output[2].model_dump(exclude_unset=True) == {
        "id": "fc_r000102",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_a",
        "name": "add",
        "arguments": '{"x":1}',
    }
    assert response.usage is not None
    assert response.usage.model_dump(exclude_none=True) == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 29,
    }
    assert (response.instructions, response.metadata, response.max_output_tokens) == ("Be brief.", {"a": "b"}, 9)
    assert (body["store"], body["previous_response_id"], body["parallel_tool_calls"]) == (False, None, True)
    assert (body["tool_choice"], body["text"]) == ("auto", {"format": {"type": "text"}})
    assert body["tools"] == [{"description": None, "strict": None, **TOOL}]


def test_a_streamed_answer_says_the_same() -> None:
    assert accumulated(streamed(*SAID)) == whole(*SAID)


def test_the_order_of_events() -> None:
    events = data_of(streamed(*SAID))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


def test_a_refusal_is_a_part_of_its_own_and_a_complete_answer() -> None:
    events = [TextDelta("I "), TextDelta("No.", refusal=True), completed(FinishReason.CONTENT_FILTER)]
    response = accumulated(streamed(*events))
    assert response == whole(*events)
    (message,) = response["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert (response["status"], message["status"]) == ("completed", "completed")


@pytest.mark.parametrize(
    ("finish", "why"),
    [(FinishReason.LENGTH, "max_output_tokens"), (FinishReason.CONTENT_FILTER, "content_filter")],
)
def test_an_answer_cut_short_is_incomplete(finish: FinishReason, why: str) -> None:
    events = [ThinkingDelta("Hm"), TextDelta("Once"), completed(finish)]
    body = whole(*events)
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": why})
    assert body["output"][-1]["status"] == "incomplete"
    assert data_of(streamed(*events))[-1] == {
        "type": "response.incomplete",
        "sequence_number": 14,
        "response": body,
    }


def test_an_answer_of_nothing_is_an_answer() -> None:
    response = accumulated(streamed(completed(usage=None)))
    assert (response["status"], response["output"], response["usage"]) == ("completed", [], None)
    assert response == whole(completed(usage=None))


def delta() -> st.SearchStrategy[Delta]:
    said = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
    return st.one_of(
        st.builds(TextDelta, said, st.booleans()),
        st.builds(ThinkingDelta, said),
        st.builds(lambda mark: ThinkingDelta(signature=mark), said),
        st.builds(lambda hidden: ThinkingDelta(redacted=hidden), said),
        st.builds(lambda index, more: ToolCallDelta(index, "", "", more), st.integers(0, 2), st.just("") | said),
    )


def well_formed(deltas: list[Delta]) -> list[Delta]:
    """Calls numbered as they come, each with its id and name in its first piece alone."""
    numbers = dict[int, int]()
    found = list[Delta]()
    for each in deltas:
        if not isinstance(each, ToolCallDelta):
            found.append(each)
            continue
        known, number = each.index in numbers, numbers.setdefault(each.index, len(numbers))
        name = ("", "") if known else (f"call_{number}", "add")
        found.append(ToolCallDelta(number, *name, each.arguments_json))
    return found


def by_kind(output: list[dict[str, Any]]) -> list[Any]:
    """What is said, thought, sealed and called, each in its order."""
    said = [part for item in output for part in (*item.get("content", ()), *item.get("summary", ()))]
    kinds = (("output_text", "text"), ("refusal", "refusal"), ("summary_text", "text"))
    texts = ["".join(part[field] for part in said if part["type"] == kind) for kind, field in kinds]
    seals = [item["encrypted_content"] for item in output if "encrypted_content" in item]
    calls = [(item["call_id"], item["name"], item["arguments"]) for item in output if item["type"] == "function_call"]
    return [texts, seals, calls]


@settings(max_examples=40)
@given(
    st.lists(delta(), max_size=12).map(well_formed),
    st.sampled_from([FinishReason.STOP, FinishReason.LENGTH, FinishReason.CONTENT_FILTER]),
)
def test_the_official_client_reads_every_stream_and_has_the_whole_answer(
    deltas: list[Delta], finish: FinishReason
) -> None:
    wire = streamed(*deltas, completed(finish))
    data_of(wire)
    got, expected = accumulated(wire), whole(*deltas, completed(finish))
    calls = [index for index, each in enumerate(deltas) if isinstance(each, ToolCallDelta)]
    rest = [index for index, each in enumerate(deltas) if not isinstance(each, ToolCallDelta)]
    if not calls or not rest or min(calls) > max(rest):
        assert got == expected
        return
    # Whole answers have calls last: there is no telling what was said after one of them.
    assert by_kind(got.pop("output")) == by_kind(expected.pop("output"))
    assert got == expected


@pytest.mark.parametrize("before", [[], SAID[:2], SAID[:5], SAID[:8]])
def test_the_official_client_raises_where_an_answer_breaks_off(before: list[ChatEvent]) -> None:
    of = surface()
    encoder = of.stream(wanted(of))
    wire = written(encoder, *before) + encoder.failed(BROKEN)
    last = data_of(wire)[-1]
    assert (last["type"], last["code"], last["param"]) == ("error", "stream_broken", None)
    assert last["sequence_number"] == len(data_of(wire)) - 1
    with pytest.raises(openai.APIError, match="broke off") as caught:
        accumulated(wire)
    assert caught.value.code == "stream_broken"
    with pytest.raises(openai.APIError), client(wire) as asked:
        list(asked.responses.create(model="p/m", input="x", stream=True))


def test_a_relayed_answer_is_sent_as_it_comes() -> None:
    of = surface()
    encoder = of.stream(wanted(of))
    first, rest = b'event: a\ndata: {"sequence_number": 7, "x":1}\n\n', b'data: {"type":"response.completed"}\n\n'
    assert encoder.started(STARTED) + encoder.relayed(first) + encoder.relayed(b"") == first
    error = orjson.loads(encoder.failed(BROKEN).split(b"data: ")[1])
    assert error["sequence_number"] == 8
    assert encoder.completed(Completed(FinishReason.STOP, None, 0, wire=rest)) == rest


def test_a_heartbeat_is_a_comment() -> None:
    of = surface()
    encoder = of.stream(wanted(of))
    beat = encoder.heartbeat()
    assert beat.startswith(b":")
    wire = written(encoder, *SAID).replace(b"\n\n", b"\n\n" + beat)
    assert accumulated(wire) == whole(*SAID)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (failure(Reason.UNSUPPORTED_CAPABILITY, "x"), 400, openai.BadRequestError),
        (failure(Reason.RATE_LIMITED, "x", retry_after_s=3), 429, openai.RateLimitError),
    ],
)
def test_errors_have_openais_shape(error: NexusError, status: int, kind: type[openai.APIStatusError]) -> None:
    told, body = surface().error(error, "req_1")
    assert told == status
    answer = httpx2.Response(told, content=body, headers={"content-type": "application/json"})
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: answer))
    with (
        openai.OpenAI(api_key="k", base_url="http://n/v1", http_client=http, max_retries=0) as asked,
        pytest.raises(kind) as caught,
    ):
        asked.responses.create(model="p/m", input="x")
    assert caught.value.code == orjson.loads(body)["error"]["code"]
