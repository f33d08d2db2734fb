"""Reads the messages of a chat."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from provider_router.domain.calls.chat import Message, Role, ToolCall
from provider_router.domain.calls.content import Part, RefusalPart, TextPart, ThinkingPart
from provider_router.servicer.http.fields import (
    WrongFieldError,
    each_in,
    field_in,
    list_in,
    maybe_in,
    object_in,
    text_in,
    word_in,
)
from provider_router.servicer.http.openai_chat.content import content_in
from provider_router.servicer.http.openai_chat.draft import Draft

_MOST_MESSAGES = 10_000
_MOST_CALLS = 128
_MOST_NAME = 256
_PREFIX = "messages."
_BARE = 2
_PLAIN = frozenset({"role", "content", "name"})
_OF_TOOL = _PLAIN | {"tool_call_id"}
_OF_ASSISTANT = _PLAIN | {"refusal", "tool_calls", "reasoning_content", "reasoning"}
_OF_CALL = frozenset({"id", "type", "function", "custom"})
_ROLES: Mapping[str, Role] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}


def messages_in(draft: Draft, value: Any) -> None:
    """Reads `messages` into `draft`.

    Raises:
        WrongFieldError: One is wrong, or there are none.
    """
    listed = list_in(value, 1, _MOST_MESSAGES)
    draft.chat["messages"] = tuple(each_in(listed, partial(_message, draft)))


def _message(draft: Draft, value: Any) -> Message:
    message = object_in(value)
    role = message.get("role")
    known = _ROLES.get(role) if type(role) is str else None
    if known is None:
        raise WrongFieldError(f"must be one of {', '.join(_ROLES)}", ".role")
    if known is Role.TOOL:
        return _tool(draft, message)
    return _assistant(draft, message) if known is Role.ASSISTANT else _plain(draft, message, known)


def _plain(draft: Draft, message: Mapping[str, Any], role: Role) -> Message:
    if len(message) > _BARE:
        draft.others(message, _PLAIN, _PREFIX)
    content = message.get("content")
    text, parts = (content, ()) if type(content) is str else _content(draft, message)
    return Message(role, text, parts=parts, name=_name(message))


def _tool(draft: Draft, message: Mapping[str, Any]) -> Message:
    draft.others(message, _OF_TOOL, _PREFIX)
    text, parts = _content(draft, message)
    call_id = field_in(message, "tool_call_id", _name_in)
    return Message(Role.TOOL, text, tool_call_id=call_id, parts=parts, name=_name(message))


def _assistant(draft: Draft, message: Mapping[str, Any]) -> Message:
    draft.unknown_of(message, _OF_ASSISTANT, _PREFIX)
    text, parts = ("", ()) if message.get("content") is None else _content(draft, message)
    calls = message.get("tool_calls")
    # Most have a role, a content, which is null by the book where there is nothing but calls, and perhaps these.
    if len(message) > 1 + ("content" in message) + (calls is not None) and None in message.values():
        draft.has_nulls = True
    made = () if calls is None else field_in(message, "tool_calls", lambda value: _calls(draft, value))
    thought = maybe_in(message, "reasoning_content", text_in, "") or maybe_in(message, "reasoning", text_in, "")
    refusal = maybe_in(message, "refusal", text_in, "")
    if thought or refusal:
        said: tuple[Part, ...] = parts or ((TextPart(text),) if text else ())
        before = (ThinkingPart(thought),) if thought else ()
        parts = (*before, *said, *((RefusalPart(refusal),) if refusal else ()))
        text += refusal
    return Message(Role.ASSISTANT, text, made, parts=parts, name=_name(message))


def _content(draft: Draft, message: Mapping[str, Any]) -> tuple[str, tuple[Part, ...]]:
    content = message.get("content")
    return (content, ()) if type(content) is str else field_in(message, "content", lambda it: content_in(draft, it))


def _name(message: Mapping[str, Any]) -> str:
    return maybe_in(message, "name", lambda name: text_in(name, _MOST_NAME), "") if "name" in message else ""


def _name_in(value: Any) -> str:
    return word_in(value, _MOST_NAME)


def _calls(draft: Draft, value: Any) -> tuple[ToolCall, ...]:
    return tuple(each_in(list_in(value, most=_MOST_CALLS), lambda call: _call(draft, call)))


def _call(draft: Draft, value: Any) -> ToolCall:
    call = object_in(value)
    draft.others(call, _OF_CALL, "messages.tool_calls.")
    call_id = field_in(call, "id", _name_in)
    if call.get("type") == "custom":
        # What it is called with is a text for the tool, wherever that leads.
        draft.lacks("custom", "messages.tool_calls.")
        return field_in(call, "custom", lambda custom: _custom(draft, call_id, object_in(custom)))
    return field_in(call, "function", lambda function: _function(draft, call_id, object_in(function)))


def _function(draft: Draft, call_id: str, function: Mapping[str, Any]) -> ToolCall:
    draft.has_nulls = draft.has_nulls or None in function.values()
    return ToolCall(call_id, field_in(function, "name", _name_in), maybe_in(function, "arguments", text_in, ""))


def _custom(draft: Draft, call_id: str, custom: Mapping[str, Any]) -> ToolCall:
    """A call whose arguments are text, where other dialects have JSON."""
    draft.has_nulls = draft.has_nulls or None in custom.values()
    text = maybe_in(custom, "input", text_in, "")
    return ToolCall(call_id, field_in(custom, "name", _name_in), orjson.dumps({"input": text}).decode())
