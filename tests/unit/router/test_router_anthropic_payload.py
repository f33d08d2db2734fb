from __future__ import annotations

import base64

import orjson
import pytest
from router_fakes import service_of

from provider_router.adapters.anthropic import blocks
from provider_router.adapters.anthropic.payload import messages_body
from provider_router.domain.calls.chat import (
    CallersBody,
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
from provider_router.domain.calls.content import (
    AudioPart,
    FilePart,
    ImagePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
)
from provider_router.domain.calls.lone_surrogates import without_lone_surrogates
from provider_router.domain.contracts.dialect import Dialect
from shared.errors import InvalidInput

HI = Message(Role.USER, "Hi")
ADD = Tool("add", "Adds.", {"type": "object"})


def sent(*messages: Message, service: dict | None = None, **changes: object) -> dict:
    request = ChatRequest(messages or (HI,), **changes)
    return orjson.loads(messages_body(service_of("one/claude", **(service or {})), request))


def content_of(*parts: Part, role: Role = Role.USER) -> list[dict]:
    return sent(HI, Message(Role.ASSISTANT, "Yes?"), Message(role, parts=parts))["messages"][-1]["content"]


def test_the_request_body() -> None:
    messages = (
        Message(Role.SYSTEM, "Be brief."),
        Message(Role.USER, "1+1?"),
        Message(Role.SYSTEM, "In French."),
        Message(Role.ASSISTANT, "", (ToolCall("a", "add", '{"x":1}'), ToolCall("b", "now", ""))),
        Message(Role.TOOL, "2", tool_call_id="a"),
        Message(Role.TOOL, "down", tool_call_id="b", is_error=True),
        Message(Role.USER, "And?"),
    )
    assert sent(
        *messages,
        tools=(ADD,),
        response_schema={"type": "object"},
        temperature=0.5,
        max_output_tokens=7,
        stop=("END",),
        sampling=Sampling(top_p=0.5, top_k=3),
        end_user="u-1",
    ) == {
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
                    {"type": "tool_result", "tool_use_id": "b", "content": "down", "is_error": True},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        "tools": [{"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}],
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "top_p": 0.5,
        "top_k": 3,
        "metadata": {"user_id": "u-1"},
    }


@pytest.mark.parametrize(("configured", "limit"), [(0, 4096), (99, 99)])
def test_the_limit_that_the_dialect_demands(configured: int, limit: int) -> None:
    assert sent(service={"max_output_tokens": configured})["max_tokens"] == limit


def test_a_whole_answer_is_asked_for_where_one_is_wanted() -> None:
    assert sent(whole=True)["stream"] is False


def test_earlier_arguments_may_be_deeper_than_can_be_written() -> None:
    deep = '{"x": ' + "[" * 400 + "]" * 400 + "}"
    turns = sent(HI, Message(Role.ASSISTANT, "", (ToolCall("a", "add", deep),)))["messages"]
    assert turns[-1]["content"][0]["input"] == orjson.loads(deep)


@pytest.mark.parametrize("arguments", ["{", "[]", "3"])
def test_earlier_arguments_must_be_an_object(arguments: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sent(HI, Message(Role.ASSISTANT, "", (ToolCall("a", "add", arguments),)))
    assert caught.value.reason == "INVALID_MESSAGES"


@pytest.mark.parametrize("calls", [1, 20])
def test_earlier_arguments_may_hold_so_many_values_and_no_more(calls: int) -> None:
    few = Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "f", orjson.dumps({"text": "x" * 1_000_000}).decode()),))
    assert sent(few)["messages"]
    many = '{"a":[' + "[]," * (300_000 // calls) + "1]}"
    with pytest.raises(InvalidInput, match="INVALID_MESSAGES"):
        sent(Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "f", many),) * calls))


def test_halves_of_characters_are_not_searched_for_in_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    def noted(json: bytes) -> bytes:
        searched.append(len(json))
        return without_lone_surrogates(json)

    monkeypatch.setattr(blocks, "without_lone_surrogates", noted)
    few, many = ('{"a":"' + '\\"' * times + '\\ud800"}' for times in (1_000, 1_200_000))
    assert sent(HI, Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "f", few),)))["messages"]
    with pytest.raises(InvalidInput, match="INVALID_MESSAGES"):
        sent(Message(Role.ASSISTANT, tool_calls=(ToolCall("c", "f", many),)))
    assert searched == [len(few)]


def test_parts_become_blocks() -> None:
    plain = base64.b64encode("Größe".encode()).decode()
    assert content_of(
        TextPart(""),
        TextPart("Look:", cached="1h"),
        ImagePart(url="https://x.test/a.png"),
        ImagePart(data="iVBO", media_type="image/png", cached="5m"),
        FilePart(data="JVBE", media_type="application/pdf", name="a.pdf"),
        FilePart(data=plain, media_type="text/plain"),
        FilePart(url="https://x.test/a.pdf"),
        FilePart(file_id="file_1"),
        FilePart(file_id="file_2", media_type="image/*"),
    ) == [
        {"type": "text", "text": "Look:", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"},
            "cache_control": {"type": "ephemeral"},
        },
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Größe"}},
        {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_2"}},
    ]


@pytest.mark.parametrize("part", [AudioPart("UklG", "wav"), FilePart(data="?", media_type="text/plain")])
def test_parts_that_no_block_can_hold_are_refused(part: Part) -> None:
    with pytest.raises(InvalidInput):
        content_of(part)


def test_only_thoughts_that_the_provider_can_read_are_sent_back() -> None:
    parts = (
        ThinkingPart("another's"),
        ThinkingPart("own", signature="s"),
        ThinkingPart(redacted="sealed"),
        RefusalPart("No."),
    )
    turns = sent(HI, Message(Role.ASSISTANT, "No.", parts=parts))["messages"]
    assert turns[-1]["content"] == [
        {"type": "thinking", "thinking": "own", "signature": "s"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "No."},
    ]
    assert sent(HI, Message(Role.ASSISTANT, parts=(ThinkingPart("another's"),)))["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    ]


def test_a_tools_result_may_hold_parts() -> None:
    parts = (TextPart("See:"), ImagePart(data="iVBO", media_type="image/png", cached="5m"))
    message = Message(Role.TOOL, "See:", tool_call_id="functions.look:0", parts=parts)
    call = Message(Role.ASSISTANT, "", (ToolCall("functions.look:0", "look", "{}"),))
    *_, asked, answered = sent(HI, call, message)["messages"]
    # Some servers make ids that the dialect does not take.
    assert asked["content"][0]["id"] == "functions_look_0"
    assert answered["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "functions_look_0",
            "content": [
                {"type": "text", "text": "See:"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            ],
            "cache_control": {"type": "ephemeral"},
        }
    ]


def test_at_most_four_marks_are_kept_and_the_last_ones_reach_furthest() -> None:
    marked = [Message(Role.USER, "x", parts=(TextPart("x", cached="5m"),)) for _ in range(3)]
    system = Message(Role.SYSTEM, "s", parts=(TextPart("s", cached="1h"),))
    body = sent(system, *marked, tools=(Tool("add", "", {}, cached="5m"),))
    assert body["tools"] == [{"name": "add", "input_schema": {}}]
    assert body["system"] == [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert all("cache_control" in block for block in body["messages"][0]["content"])


@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(ToolUse.AUTO), None, {"type": "auto"}),
        (ToolChoice(ToolUse.NONE), False, {"type": "none"}),
        (ToolChoice(ToolUse.REQUIRED), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(ToolUse.REQUIRED, "add"), None, {"type": "tool", "name": "add"}),
    ],
)
def test_which_tools_may_be_called(choice: ToolChoice | None, parallel: bool | None, told: dict | None) -> None:
    body = sent(tools=(Tool("add", "", {}, strict=True),), tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == told
    assert body["tools"] == [{"name": "add", "input_schema": {}, "strict": True}]


@pytest.mark.parametrize(
    ("reasoning", "limit", "thinking", "effort"),
    [
        (Reasoning("high"), 9000, {"type": "adaptive"}, "high"),
        (Reasoning("minimal", shown=True), 9000, {"type": "adaptive", "display": "summarized"}, "low"),
        (Reasoning(), 9000, {"type": "adaptive"}, None),
        (Reasoning("none"), 9000, {"type": "disabled"}, None),
        (Reasoning(budget_tokens=0), 9000, {"type": "disabled"}, None),
        (Reasoning("low", 5000), 9000, {"type": "enabled", "budget_tokens": 5000}, "low"),
        (Reasoning(budget_tokens=5000), 2000, {"type": "enabled", "budget_tokens": 1999}, None),
        (Reasoning(budget_tokens=5000), 1024, {"type": "disabled"}, None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, limit: int, thinking: dict, effort: str | None) -> None:
    body = sent(reasoning=reasoning, max_output_tokens=limit)
    assert body["thinking"] == thinking
    assert body.get("output_config", {}).get("effort") == effort


@pytest.mark.parametrize(
    ("effort", "limit", "thinking"),
    [
        ("low", 9000, {"type": "enabled", "budget_tokens": 2048}),
        ("xhigh", 90_000, {"type": "enabled", "budget_tokens": 32_768}),
        ("high", 9000, {"type": "enabled", "budget_tokens": 8999}),
        ("high", 500, {"type": "disabled"}),
    ],
)
def test_older_models_are_given_a_number_of_tokens_to_think(effort: str, limit: int, thinking: dict) -> None:
    service = {"traits": {"adaptive_thinking": False}}
    body = sent(service=service, reasoning=Reasoning(effort), max_output_tokens=limit)
    assert body["thinking"] == thinking
    assert "output_config" not in body


def relayed(fields: dict, *, limit: int, **changes: object) -> dict:
    body = CallersBody(Dialect.ANTHROPIC_MESSAGES, fields, ("container",))
    return sent(max_output_tokens=limit, body=body, **changes)


def test_a_caller_of_the_dialect_is_passed_on_in_its_own_words() -> None:
    own = {"model": "nexus/auto", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], "container": "c"}
    assert relayed(own, limit=50) == {**own, "model": "claude", "stream": True}
    # What costs money is bounded all the same.
    assert relayed(own, limit=20, whole=True) == {**own, "model": "claude", "stream": False, "max_tokens": 20}
    assert own["max_tokens"] == 50


@pytest.mark.parametrize(
    ("limit", "thinking"),
    [
        (9000, {"type": "enabled", "budget_tokens": 5000, "display": "omitted"}),
        (3000, {"type": "enabled", "budget_tokens": 2999}),
        (800, {"type": "disabled"}),
    ],
)
def test_thoughts_fit_into_the_bound(limit: int, thinking: dict) -> None:
    asked = {"type": "enabled", "budget_tokens": 5000, "display": "omitted"}
    assert relayed({"max_tokens": 9000, "thinking": asked}, limit=limit)["thinking"] == thinking


def test_words_of_another_dialect_are_not_passed_on() -> None:
    body = CallersBody(Dialect.OPENAI_CHAT, {"model": "x", "store": True})
    assert "store" not in sent(body=body)
