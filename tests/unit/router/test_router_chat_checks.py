from __future__ import annotations

import pytest

from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role, ToolCall, parse_schema
from provider_router.domain.calls.events import Completed, Started
from shared.errors import InvalidInput, UpstreamDown

USER = Message(Role.USER, "Hi")
CALL = ToolCall("a", "add", "{}")


@pytest.mark.parametrize(
    "messages",
    [
        (USER,),
        (Message(Role.SYSTEM, "Be brief."), USER),
        (USER, Message(Role.ASSISTANT, "", (CALL,)), Message(Role.TOOL, "", tool_call_id="a")),
        (USER, Message(Role.ASSISTANT, "")),
    ],
)
def test_good_chats(messages: tuple[Message, ...]) -> None:
    assert ChatRequest(messages).check() is None


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ((), "Nobody says anything"),
        ((USER, Message(Role.USER, "")), r"messages\[1\] is empty"),
        ((Message(Role.SYSTEM, ""), USER), r"messages\[0\] is empty"),
        ((Message(Role.SYSTEM, "Be brief."),), "add what the user says"),
        ((USER, Message(Role.TOOL, "x")), "needs tool_call_id"),
        ((Message(Role.USER, "Hi", (CALL,)),), "only the assistant"),
        ((USER, Message(Role.ASSISTANT, "", (ToolCall("", "add", ""),))), "without id or name"),
        ((USER, Message(Role.ASSISTANT, "", (ToolCall("a", "", ""),))), "without id or name"),
    ],
)
def test_wrong_chats_are_refused(messages: tuple[Message, ...], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as caught:
        ChatRequest(messages).check()
    assert caught.value.reason == "INVALID_MESSAGES"


def test_a_schema_is_parsed_once() -> None:
    assert parse_schema('{"type": "object"}', "f") == {"type": "object"}


@pytest.mark.parametrize("text", ["{", "[]", "3", "null", '"x"', "[" * 100_000, '{"a":"' + "x" * 300_000 + '"}'])
def test_a_wrong_schema_is_refused_by_its_fields_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="the_field") as caught:
        parse_schema(text, "the_field")
    assert caught.value.reason == "INVALID_SCHEMA"


@pytest.mark.parametrize(
    "events", [[], [Started("m", (), demonstration=False)], [Completed(FinishReason.STOP, None, 0)]]
)
def test_an_answer_without_start_or_end_is_none(events: list) -> None:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    with pytest.raises(UpstreamDown):
        builder.answer()
