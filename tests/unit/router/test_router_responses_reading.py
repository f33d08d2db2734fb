"""OpenAI's Responses, as callers ask for them: what is read, what is foreign, and what is refused and how."""

from __future__ import annotations

from typing import Any

import pytest

from provider_router.domain.calls.chat import (
    ChatRequest,
    Message,
    Reasoning,
    Role,
    Sampling,
    Tool,
    ToolCall,
    ToolChoice,
    ToolUse,
)
from provider_router.domain.calls.content import FilePart, ImagePart, RefusalPart, TextPart, ThinkingPart
from provider_router.domain.contracts.dialect import Dialect
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from provider_router.servicer.http.surface import Wanted
from shared.errors import InvalidInput
from shared.testing.fakes import FakeClock, SequenceIds

PARAMETERS = {"type": "object", "properties": {"x": {"type": "number"}}}
ADD = {"type": "function", "name": "add", "description": "Adds", "parameters": PARAMETERS, "strict": True}
PNG = "data:image/png;base64,iVBORw0K"
# What the OpenAI Agents SDK and LangChain send of an answer of the turn before, when nothing is said about storage.
TURN_BEFORE: list[dict[str, Any]] = [
    {"role": "user", "content": "1+2?"},
    {"id": "rs_1", "type": "reasoning", "summary": [], "status": None},
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "I add.", "annotations": [], "logprobs": []}],
    },
    {
        "id": "fc_1",
        "type": "function_call",
        "call_id": "a",
        "name": "add",
        "arguments": '{"x":1}',
        "status": "completed",
    },
    {"id": "fc_2", "type": "function_call", "call_id": "b", "name": "add", "arguments": "", "status": "completed"},
    {"type": "function_call_output", "call_id": "a", "output": "3"},
    {"type": "function_call_output", "call_id": "b", "output": [{"type": "input_text", "text": "4"}]},
]


def read(**fields: Any) -> Wanted:
    return ResponsesSurface(FakeClock(), SequenceIds("r")).read({"model": "p/m", "input": "Hello", **fields}, {})


def request(**fields: Any) -> ChatRequest:
    return read(**fields).request


def foreign(**fields: Any) -> tuple[str, ...]:
    body = request(**fields).body
    assert body is not None
    return body.foreign


def hints(**fields: Any) -> tuple[str, ...]:
    body = request(**fields).body
    assert body is not None
    return body.hints


def violation(**fields: Any) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        read(**fields)
    assert caught.value.reason == "REQUEST_INVALID"
    (only,) = caught.value.violations
    assert only.field in caught.value.message
    return only.field, only.description


def test_text_is_what_the_user_says() -> None:
    wanted = read(instructions="Be brief.", stream=True)
    assert wanted.request.messages == (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Hello"))
    assert (wanted.model, wanted.streamed, wanted.request.whole) == ("p/m", True, False)
    assert read().request.whole


def test_an_assistants_turn_is_one_message() -> None:
    assert request(input=TURN_BEFORE).messages == (
        Message(Role.USER, "1+2?"),
        Message(Role.ASSISTANT, "I add.", (ToolCall("a", "add", '{"x":1}'), ToolCall("b", "add", ""))),
        Message(Role.TOOL, "3", tool_call_id="a"),
        Message(Role.TOOL, "4", tool_call_id="b"),
    )
    assert foreign(input=TURN_BEFORE) == ()


def test_two_turns_of_the_assistant_stay_two() -> None:
    said = [{"role": "assistant", "content": "One."}, {"role": "assistant", "content": "Two."}]
    assert [message.text for message in request(input=said).messages] == ["One.", "Two."]


def test_what_follows_a_call_stays_beside_it() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "add", "arguments": "{}"}
    said = [{"role": "assistant", "content": "One."}, call, {"role": "assistant", "content": "Two."}]
    (message,) = request(input=said).messages
    assert message.text == "One.Two."
    assert message.tool_calls == (ToolCall("a", "add", "{}"),)


@pytest.mark.parametrize(("role", "meant"), [("user", Role.USER), ("system", Role.SYSTEM), ("developer", Role.SYSTEM)])
def test_roles(role: str, meant: Role) -> None:
    assert request(input=[{"role": role, "content": "x"}]).messages[0].role is meant


def test_parts() -> None:
    content = [
        {"type": "input_text", "text": "See"},
        {"type": "input_image", "image_url": PNG, "detail": "low"},
        {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0"},
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "input_text", "text": "this", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
    ]
    (message,) = request(input=[{"type": "message", "role": "user", "content": content}]).messages
    assert message.text == "Seethis"
    assert message.parts == (
        TextPart("See"),
        ImagePart(data="iVBORw0K", media_type="image/png", detail="low"),
        ImagePart(url="https://x.example/a.png"),
        FilePart(data="JVBERi0", media_type="application/pdf", name="a.pdf"),
        FilePart(url="https://x.example/a.pdf"),
        FilePart(file_id="file-1"),
        TextPart("this", cached="1h"),
    )


def test_a_refusal_is_told_apart() -> None:
    said = [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]
    (message,) = request(input=said).messages
    assert (message.text, message.parts) == ("No.", (RefusalPart("No."),))


def test_thoughts_sealed_here_come_back_and_reach_no_provider_of_the_dialect() -> None:
    summary = [{"type": "summary_text", "text": "Hm"}]
    items = [
        {"role": "user", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "nexus-signed:abc"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "nexus-redacted:def"},
        {"role": "assistant", "content": "y"},
    ]
    asked = request(input=items)
    thoughts = (ThinkingPart("Hm", signature="abc"), ThinkingPart(redacted="def"))
    assert asked.messages[1].parts == (*thoughts, TextPart("y"))
    assert asked.body is not None
    assert asked.body.fields["input"] == [items[0], items[3]]


def test_thoughts_sealed_by_openai_are_for_its_models_alone_and_a_hint_to_others() -> None:
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABpHG9K"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"role": "assistant", "content": "y"},
        {"role": "user", "content": "x"},
    ]
    asked = request(input=items)
    assert asked.messages == (Message(Role.ASSISTANT, "y"), Message(Role.USER, "x"))
    assert asked.body is not None
    # The provider stored nothing, so it knows nothing of a thought without its seal.
    assert asked.body.fields["input"] == [items[0], items[2], items[3]]
    assert (asked.body.foreign, asked.body.hints) == ((), ("input.reasoning",))


def test_the_body_is_passed_on_as_it_is_where_all_of_it_can_be_used() -> None:
    fields = {"model": "p/m", "input": [{"role": "user", "content": "x"}], "later_field": 1}
    body = ResponsesSurface(FakeClock(), SequenceIds("r")).read(fields, {}).request.body
    assert body is not None
    assert body.dialect is Dialect.OPENAI_RESPONSES
    assert body.fields is fields


def test_nulls_that_clients_send_back_of_an_answer_are_left_out() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "add", "arguments": "{}"}
    said = [{"role": "user", "content": "Hi"}, {**call, "id": None, "status": None}]
    asked = read(input=said, temperature=None).request
    assert asked.body.fields["input"] == [said[0], call]


def test_tools_and_the_form_of_the_answer() -> None:
    schema = {"type": "json_schema", "name": "sum", "schema": {"type": "object"}, "strict": True}
    asked = request(
        tools=[ADD, {"type": "function", "name": "now", "parameters": None, "strict": None}],
        tool_choice={"type": "function", "name": "add"},
        parallel_tool_calls=False,
        text={"format": schema},
    )
    assert asked.tools == (
        Tool("add", "Adds", PARAMETERS, strict=True),
        Tool("now", "", {"type": "object", "properties": {}}),
    )
    assert asked.tool_choice == ToolChoice(ToolUse.REQUIRED, "add")
    assert asked.parallel_tool_calls is False
    assert (asked.response_schema, asked.schema_name, asked.schema_strict) == ({"type": "object"}, "sum", True)
    assert foreign(tools=[ADD], text={"format": schema}) == ()
    described = request(text={"format": {**schema, "description": "A sum"}})
    assert described.response_schema == {"description": "A sum", "type": "object"}
    assert described.body is not None
    assert described.body.foreign == ()
    assert request(text={"format": {"type": "json_object"}}).json_object
    assert not request(text={"format": {"type": "text"}}).json_object


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ("auto", ToolChoice()),
        ("none", ToolChoice(ToolUse.NONE)),
        ("required", ToolChoice(ToolUse.REQUIRED)),
        (None, None),
    ],
)
def test_tool_choices(choice: Any, meant: ToolChoice | None) -> None:
    assert request(tools=[ADD], tool_choice=choice).tool_choice == meant


def test_tools_that_are_not_allowed_are_not_offered() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]}
    asked = request(tools=[ADD, {**ADD, "name": "sub"}], tool_choice=allowed)
    assert [tool.name for tool in asked.tools] == ["add"]
    assert asked.tool_choice == ToolChoice(ToolUse.REQUIRED)


def test_parameters() -> None:
    asked = request(temperature=0.5, top_p=0.9, max_output_tokens=99, safety_identifier="u1")
    assert (asked.temperature, asked.sampling, asked.max_output_tokens) == (0.5, Sampling(top_p=0.9), 99)
    assert asked.end_user == "u1"


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({}, None),
        # Thoughts are told even without a summary: some providers take a tool's result with their thoughts alone.
        ({"reasoning": {"effort": "low"}}, Reasoning("low", shown=True)),
        ({"reasoning": {"effort": "none"}}, Reasoning("none")),
        ({"reasoning": {"effort": None, "summary": None}}, None),
        ({"reasoning": {"effort": None, "summary": "auto"}}, Reasoning(shown=True)),
        ({"reasoning": {"effort": "high", "generate_summary": "detailed"}}, Reasoning("high", shown=True)),
        # Seals are told with the thoughts; asking for them makes nobody think.
        ({"include": ["reasoning.encrypted_content"]}, None),
    ],
)
def test_reasoning(fields: dict[str, Any], meant: Reasoning | None) -> None:
    assert request(**fields).reasoning == meant
    assert foreign(**fields) == ()


@pytest.mark.parametrize(
    "fields",
    [
        # What the official clients, the Agents SDK and LangChain send without being told to.
        {"store": False},
        {"store": None},
        {"include": []},
        {"previous_response_id": None, "conversation": None, "prompt": None, "background": None},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
        {"truncation": "disabled", "service_tier": "auto", "text": {"verbosity": "medium"}},
        {"top_logprobs": 0, "background": False, "max_tool_calls": 5},
        {"metadata": {"a": "b"}, "stream_options": {"include_obfuscation": False}},
    ],
)
def test_what_changes_nothing_is_neither_foreign_nor_a_hint(fields: dict[str, Any]) -> None:
    body = request(**fields).body
    assert body is not None
    # The caller's own notes are told back by whoever answers.
    assert (body.foreign, body.hints) == ((), ())


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.web_search"),
        ({"tools": [ADD | {"defer_loading": True}]}, "tools.defer_loading"),
        ({"tools": [ADD], "tool_choice": {"type": "web_search"}}, "tool_choice.web_search"),
        ({"input": [{"role": "user", "content": "x"}, {"type": "computer_call"}]}, "input.computer_call"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include.logprobs"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"moderation": {"model": "omni-moderation-latest"}}, "moderation"),
        ({"later_field": {"a": 1}}, "later_field"),
    ],
)
def test_what_only_a_provider_of_the_dialect_knows_is_foreign(fields: dict[str, Any], named: str) -> None:
    assert foreign(**fields) == (named,)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"prompt_cache_key": "k"}, "prompt_cache_key"),
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
        ({"service_tier": "flex"}, "service_tier"),
    ],
)
def test_what_only_helps_is_a_hint(fields: dict[str, Any], named: str) -> None:
    assert (foreign(**fields), hints(**fields)) == ((), (named,))


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"store": True}, "store", "nothing is stored here"),
        ({"background": True}, "background", "nothing is stored here"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "send the whole conversation as input"),
        ({"conversation": {"id": "conv_1"}}, "conversation", "send the whole conversation as input"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "send its text"),
        ({"input": [{"type": "item_reference", "id": "rs_1"}]}, "input[0]", "send the item itself"),
        ({"input": [{"id": "rs_1"}]}, "input[0]", "'rs_1'"),
        ({"messages": []}, "messages", "use input"),
        ({"max_tokens": 5}, "max_tokens", "use max_output_tokens"),
        ({"stop": ["x"]}, "stop", "responses have none"),
    ],
)
def test_what_cannot_be_had_is_refused_with_what_to_do(fields: dict[str, Any], field: str, told: str) -> None:
    path, description = violation(**fields)
    assert path == field
    assert told in description


def in_content(part: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": "x"}, {"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": {"role": "user"}}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"type": "Not A Type"}]}, "input[0]"),
        ({"input": [{"type": "function_call", "call_id": "a", "arguments": "{}"}]}, "input[0].name"),
        ({"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "a"}]}, "input[0].output"),
        ({"input": [{"type": "reasoning", "summary": [{}]}]}, "input[0].summary[0].text"),
        (in_content({"type": "text", "text": "x"}), "input[1].content[0].type"),
        (in_content({"type": "input_text"}), "input[1].content[0].text"),
        (in_content({"type": "input_image"}), "input[1].content[0].image_url"),
        (in_content({"type": "input_image", "image_url": "file:///etc/passwd"}), "input[1].content[0].image_url"),
        (in_content({"type": "input_image", "image_url": "data:,x"}), "input[1].content[0].image_url"),
        (in_content({"type": "input_image", "file_id": "file-1"}), "input[1].content[0].file_id"),
        (in_content({"type": "input_file"}), "input[1].content[0]"),
        (in_content({"type": "input_file", "file_url": "ftp://x"}), "input[1].content[0].file_url"),
        ({"instructions": 5}, "instructions"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": True}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 1}, "stream_options"),
        ({"include": "x"}, "include"),
        ({"include": [1]}, "include[0]"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"truncation": "some"}, "truncation"),
        ({"reasoning": "low"}, "reasoning"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "parameters": []}]}, "tools[0].parameters"),
        ({"tools": [ADD], "tool_choice": "some"}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "function", "name": "sub"}}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"no field\r\nof ours": 1}, "no field\r\nof ours"),
    ],
)
def test_wrong_fields_are_named_by_their_paths(fields: dict[str, Any], field: str) -> None:
    assert violation(**fields)[0] == field


def test_all_wrong_fields_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        read(temperature=9, store=True, tools=5)
    assert {each.field for each in caught.value.violations} == {"temperature", "store", "tools"}
