"""What providers of the Responses dialect are asked."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest
from openai.types.responses import response_create_params
from pydantic import TypeAdapter
from router_fakes import provider_spec, service_of

from provider_router.adapters.anthropic.payload import messages_body
from provider_router.adapters.openai_responses.payload import responses_body
from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.chat import (
    CallersBody,
    ChatRequest,
    FinishReason,
    Message,
    Reasoning,
    Role,
    Sampling,
    Tool,
    ToolCall,
    ToolChoice,
    ToolUse,
)
from provider_router.domain.calls.content import AudioPart, FilePart, ImagePart, RefusalPart, TextPart, ThinkingPart
from provider_router.domain.calls.fitting import Fitted, fitted
from provider_router.domain.contracts.dialect import Dialect, dialect_traits
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.service import Service
from provider_router.servicer.http.openai_responses.output_items import items_of
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from shared.testing.fakes import FakeClock, SequenceIds

HELLO = (Message(Role.USER, "Hello"),)
ADD = Tool("add", "Adds", {"type": "object"})
PUBLISHED: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParams)


def body(request: ChatRequest, **contract: Any) -> dict[str, Any]:
    return orjson.loads(responses_body(service_of("p/m", **contract), request))


def test_a_plain_chat() -> None:
    messages = (
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "1+2?"),
        Message(Role.ASSISTANT, "", (ToolCall("a", "add", ""),)),
        Message(Role.TOOL, "3", tool_call_id="a"),
    )
    request = ChatRequest(messages, (ADD,), {"type": "object"}, temperature=0.5, max_output_tokens=9)
    assert body(request) == {
        "model": "m",
        "input": [
            {"type": "message", "role": "system", "content": "Be brief."},
            {"type": "message", "role": "user", "content": "1+2?"},
            {"type": "function_call", "call_id": "a", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "3"},
        ],
        "stream": True,
        "store": False,
        "tools": [
            {
                "type": "function",
                "name": "add",
                "description": "Adds",
                "parameters": {"type": "object"},
                "strict": False,
            }
        ],
        "text": {"format": {"type": "json_schema", "name": "answer", "strict": True, "schema": {"type": "object"}}},
        "temperature": 0.5,
        "max_output_tokens": 9,
    }


def test_parts_have_the_published_form() -> None:
    seen = (
        TextPart("See"),
        ImagePart(data="iVBO", media_type="image/png", detail="low"),
        ImagePart(url="https://x.example/a.png"),
        FilePart(data="JVBE", media_type="application/pdf", name="a.pdf"),
        FilePart(url="https://x.example/a.pdf"),
        FilePart(file_id="file-1"),
    )
    messages = (
        Message(Role.USER, "See", parts=seen),
        Message(Role.ASSISTANT, "I No.", parts=(ThinkingPart("hm", "s"), TextPart("I "), RefusalPart("No."))),
        Message(
            Role.TOOL, "x", tool_call_id="a", parts=(TextPart("x"), ImagePart(data="iVBO", media_type="image/png"))
        ),
    )
    asked, said, found = body(ChatRequest(messages))["input"]
    # What the assistant said has no id here, as with LangChain: one that is not stored would only be looked for.
    PUBLISHED.validate_python({"model": "m", "input": [asked, {**said, "id": "msg_1", "status": "completed"}, found]})
    assert asked["content"] == [
        {"type": "input_text", "text": "See"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low"},
        {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "auto"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
    ]
    assert said["content"] == [
        {"type": "output_text", "text": "I ", "annotations": []},
        {"type": "refusal", "refusal": "No."},
    ]
    assert [part["type"] for part in found["output"]] == ["input_text", "input_image"]


def test_sound_has_its_form_too() -> None:
    message = Message(Role.USER, "", parts=(AudioPart("UklG", "wav"),))
    (asked,) = body(ChatRequest((message,)))["input"]
    assert asked["content"] == [{"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}]


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({"tool_choice": ToolChoice(ToolUse.REQUIRED)}, {"tool_choice": "required"}),
        ({"tool_choice": ToolChoice(ToolUse.NONE)}, {"tool_choice": "none"}),
        ({"tool_choice": ToolChoice(ToolUse.REQUIRED, "add")}, {"tool_choice": {"type": "function", "name": "add"}}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"sampling": Sampling(top_p=0.5)}, {"top_p": 0.5}),
        ({"end_user": "u"}, {"user": "u"}),
        ({"json_object": True}, {"text": {"format": {"type": "json_object"}}}),
        ({"reasoning": Reasoning("low")}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": Reasoning(shown=True)}, {"reasoning": {"summary": "auto"}}),
        ({"reasoning": Reasoning(budget_tokens=1024)}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": Reasoning(budget_tokens=8000)}, {"reasoning": {"effort": "medium"}}),
        ({"reasoning": Reasoning(budget_tokens=30_000)}, {"reasoning": {"effort": "high"}}),
        # A contract may say that its provider takes what the dialect does not have.
        ({"stop": ("END",)}, {"stop": ["END"]}),
        ({"sampling": Sampling(seed=7)}, {"seed": 7}),
        ({"whole": True}, {"stream": False}),
    ],
)
def test_parameters(changes: dict[str, Any], sent: dict[str, Any]) -> None:
    plain = body(ChatRequest(HELLO, (ADD,)))
    assert body(ChatRequest(HELLO, (ADD,), **changes)) == plain | sent


def test_thinking_that_is_switched_off_is_left_to_the_model() -> None:
    assert "effort" not in body(ChatRequest(HELLO, reasoning=Reasoning(budget_tokens=0))).get("reasoning", {})


def own(**fields: Any) -> ChatRequest:
    said = {"model": "nexus/auto", "input": "Hello", **fields}
    return ChatRequest(
        HELLO, max_output_tokens=fields.get("max_output_tokens"), body=CallersBody(Dialect.OPENAI_RESPONSES, said)
    )


def test_a_caller_of_the_dialect_is_passed_on_in_their_own_words() -> None:
    fields = {"later_field": {"a": [1]}, "tools": [{"type": "code_interpreter"}], "stream": False, "temperature": None}
    assert body(own(**fields)) == {
        "model": "m",
        "input": "Hello",
        "later_field": {"a": [1]},
        "tools": [{"type": "code_interpreter"}],
        "stream": True,
        "store": False,
    }


@pytest.mark.parametrize(("asked", "sent"), [(None, 50), (40, 40), (60, 50)])
def test_what_is_generated_is_bounded_whatever_the_caller_wrote(asked: int | None, sent: int) -> None:
    assert body(own(max_output_tokens=asked), max_output_tokens=50)["max_output_tokens"] == sent


def test_a_caller_of_another_dialect_is_translated() -> None:
    request = ChatRequest(HELLO, body=CallersBody(Dialect.OPENAI_CHAT, {"messages": [], "later_field": 1}))
    assert body(request) == body(ChatRequest(HELLO))


def test_a_model_that_searches_is_given_the_web() -> None:
    searching = {"traits": {"web_search": True}}
    assert body(ChatRequest(HELLO), **searching)["tools"] == [{"type": "web_search"}]
    assert body(own(), **searching)["tools"] == [{"type": "web_search"}]
    assert body(own(tools=[{"type": "web_search_preview"}]), **searching)["tools"] == [{"type": "web_search_preview"}]
    assert "tools" not in body(ChatRequest(HELLO))


def test_a_thought_of_another_provider_goes_back_to_it_with_its_seal() -> None:
    thought = ThinkingPart("I add.", signature="abc")
    (item,) = items_of(answered(Message(Role.ASSISTANT, "", parts=(thought,))), "resp_1")
    input_ = [{"role": "user", "content": "1+2?"}, item, CALL, OUTPUT]
    request = ResponsesSurface(FakeClock(), SequenceIds("r")).read({"model": "p/m", "input": input_}, {}).request
    claude = service_of("p/m", provider=provider_spec("p", type=ProviderType.ANTHROPIC))
    asked = orjson.loads(messages_body(claude, fitted(request, claude).request))
    assert asked["messages"][1]["content"][0] == {"type": "thinking", "thinking": "I add.", "signature": "abc"}
    assert fitted(request, of_the_dialect(), relayed=False).dropped == ("thinking",)


def answered(message: Message) -> Answer:
    return Answer("p/m", message, FinishReason.STOP, None, 0, (), demonstration=False)


def of_the_dialect(**traits: Any) -> Service:
    made = service_of("p/m", provider=provider_spec("p", type=ProviderType.OPENAI_RESPONSES))
    own = dialect_traits(ProviderType.OPENAI_RESPONSES, traits)
    return Service(dataclasses.replace(made.contract, traits=own), made.provider)


def test_texts_that_end_an_answer_have_no_place_in_the_dialect_and_are_never_lost_silently() -> None:
    request = ChatRequest(HELLO, stop=("END",))
    # By this the decision refuses the model, unless its caller allows to drop them; then they are named.
    assert of_the_dialect().contract.traits["stop"] is False
    assert fitted(request, of_the_dialect()) == Fitted(ChatRequest(HELLO), ("stop",))
    assert fitted(request, of_the_dialect(stop=True)) == Fitted(request)


def test_a_caller_of_the_dialect_is_not_passed_on_what_the_model_does_not_take() -> None:
    surface = ResponsesSurface(FakeClock(), SequenceIds("r"))
    fields = {"model": "p/m", "input": "Hello", "temperature": 1, "text": {"format": {"type": "json_object"}}}
    request = surface.read(fields, {}).request
    fitting = fitted(request, of_the_dialect(temperature=False, json_object=False))
    assert fitting.dropped == ("text", "temperature")
    assert orjson.loads(responses_body(of_the_dialect(), fitting.request)) == {
        "model": "m",
        "input": "Hello",
        "stream": False,
        "store": False,
    }


CALL = {"type": "function_call", "call_id": "a", "name": "add", "arguments": '{"x":1}'}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "1"}


@pytest.mark.parametrize(
    "fields",
    [
        {"input": "Hello", "instructions": "Be brief."},
        {
            "input": [
                {"role": "user", "content": "1?"},
                CALL,
                {"type": "function_call_output", "call_id": "a", "output": "1"},
            ]
        },
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.example/a.png"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
        {"input": [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]},
        {"input": "x", "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}}},
        {"input": "x", "tools": [{"type": "function", "name": "f", "strict": True}], "tool_choice": "required"},
        {"input": "x", "tools": [{"type": "function", "name": "f", "strict": False}], "parallel_tool_calls": False},
        {"input": "x", "reasoning": {"effort": "high", "summary": "auto"}, "top_p": 0.1, "user": "u"},
    ],
)
def test_what_is_translated_means_the_same(fields: dict[str, Any]) -> None:
    """Written anew and read again, a request is what it was."""
    surface = ResponsesSurface(FakeClock(), SequenceIds("r"))
    request = surface.read({"model": "p/m", "stream": True, **fields}, {}).request
    plain = fitted(request, of_the_dialect(), relayed=False).request
    again = surface.read(orjson.loads(responses_body(of_the_dialect(), plain)), {}).request
    assert dataclasses.replace(again, body=None) == plain
