"""Reads the input: text, or the items of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from provider_router.domain.calls.chat import Message, Role, ToolCall
from provider_router.domain.calls.content import Part, RefusalPart, TextPart, text_of
from provider_router.servicer.http.fields import (
    WrongFieldError,
    each_in,
    field_in,
    list_in,
    maybe_in,
    object_in,
    one_of,
    text_in,
    word_in,
)
from provider_router.servicer.http.openai_chat.draft import Draft
from provider_router.servicer.http.openai_responses.input_parts import content_in
from provider_router.servicer.http.openai_responses.thoughts import unsealed

_MOST_ITEMS = 10_000
_MOST_NAME = 256
_PREFIX = "input."
_ROLES: Mapping[str, Role] = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}
_LOST = "input.reasoning"
# What clients send back of an answer and no model reads.
_FROM_ANSWERS = frozenset({"type", "id", "status", "phase"})
_OF_MESSAGE = _FROM_ANSWERS | {"role", "content"}
_OF_CALL = _FROM_ANSWERS | {"call_id", "name", "arguments"}
_OF_OUTPUT = _FROM_ANSWERS | {"call_id", "output"}
_OF_REASONING = _FROM_ANSWERS | {"summary", "content", "encrypted_content"}


class Conversation:
    """The messages that items make.

    What the assistant does in one turn is several items, and one message: its thoughts, what it says, its calls.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._messages: list[Message] = []
        self._parts: list[Part] = []
        self._calls: list[ToolCall] = []
        self.kept: list[Any] = []
        """The items that a provider of the dialect can use."""

    def instruct(self, text: str) -> None:
        """Takes instructions that stand before all else."""
        self._messages.append(Message(Role.SYSTEM, text))

    def ask(self, text: str) -> None:
        """Takes what the user says."""
        self._messages.append(Message(Role.USER, text))

    def take(self, value: Any) -> None:
        """Takes the next item.

        Raises:
            WrongFieldError: It is wrong, or needs what is stored elsewhere.
        """
        item = object_in(value)
        self._draft.has_nulls = self._draft.has_nulls or None in item.values()
        kind = maybe_in(item, "type", text_in, "message" if "role" in item else "item_reference")
        read = _ITEMS.get(kind)
        if read is not None:
            if read(self, item):
                self.kept.append(value)
            return
        self._draft.lacks(kind, _PREFIX, item)
        self.kept.append(value)

    def messages(self) -> tuple[Message, ...]:
        """All messages, oldest first."""
        self._end_turn()
        return tuple(self._messages)

    def message(self, item: Mapping[str, Any]) -> bool:
        """Takes a message."""
        self._draft.others(item, _OF_MESSAGE, _PREFIX)
        role = _ROLES[field_in(item, "role", lambda word: one_of(word, _ROLES))]
        text, parts = field_in(item, "content", lambda content: content_in(self._draft, content))
        if role is not Role.ASSISTANT:
            self._end_turn()
            self._messages.append(Message(role, text, parts=parts))
            return True
        if not self._calls and text_of(self._parts):
            self._end_turn()
        self._parts.extend(parts or ((TextPart(text),) if text else ()))
        return True

    def call(self, item: Mapping[str, Any]) -> bool:
        """Takes a function call."""
        self._draft.others(item, _OF_CALL, _PREFIX)
        arguments = field_in(item, "arguments", text_in)
        self._calls.append(ToolCall(field_in(item, "call_id", _name_in), field_in(item, "name", _name_in), arguments))
        return True

    def output(self, item: Mapping[str, Any]) -> bool:
        """Takes what a function gave back."""
        self._draft.others(item, _OF_OUTPUT, _PREFIX)
        call_id = field_in(item, "call_id", _name_in)
        text, parts = field_in(item, "output", lambda content: content_in(self._draft, content))
        self._end_turn()
        self._messages.append(Message(Role.TOOL, text, tool_call_id=call_id, parts=parts))
        return True

    def reasoning(self, item: Mapping[str, Any]) -> bool:
        """Takes a thought. One without a seal is known to nobody: it would have been stored."""
        self._draft.others(item, _OF_REASONING, _PREFIX)
        text = "".join((*maybe_in(item, "summary", _texts, ()), *maybe_in(item, "content", _texts, ())))
        seal = maybe_in(item, "encrypted_content", text_in, "")
        thought = unsealed(text, seal)
        if thought is not None:
            self._parts.append(thought)
        elif seal:
            self._note_lost()
        return bool(seal) and thought is None

    def reference(self, item: Mapping[str, Any]) -> bool:
        """Refuses what is stored elsewhere."""
        raise WrongFieldError(
            f"refers to the item {str(item.get('id'))[:64]!r}, and nothing is stored here: send the item itself"
        )

    def _note_lost(self) -> None:
        """Another provider does without thoughts that only OpenAI can read."""
        if _LOST not in self._draft.hints:
            self._draft.hints.append(_LOST)

    def _end_turn(self) -> None:
        if self._parts or self._calls:
            only_text = all(isinstance(part, TextPart) and not part.cached for part in self._parts)
            parts = () if only_text and len(self._parts) < 2 else tuple(self._parts)
            said = text_of(part for part in self._parts if isinstance(part, TextPart | RefusalPart))
            self._messages.append(Message(Role.ASSISTANT, said, tuple(self._calls), parts=parts))
            self._parts.clear()
            self._calls.clear()


def read_input(conversation: Conversation, value: Any) -> None:
    """Reads `input` into `conversation`.

    Raises:
        WrongFieldError: It is neither text nor a list of items, is empty, or an item is wrong.
    """
    if type(value) is str:
        conversation.ask(word_in(value, 0))
        return
    if type(value) is not list:
        raise WrongFieldError("must be text or a list of items")
    each_in(list_in(value, 1, _MOST_ITEMS), conversation.take)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(each_in(list_in(value), lambda part: field_in(object_in(part), "text", text_in)))


def _name_in(value: Any) -> str:
    return word_in(value, _MOST_NAME)


_ITEMS: Mapping[str, Callable[[Conversation, Mapping[str, Any]], bool]] = {
    "message": Conversation.message,
    "function_call": Conversation.call,
    "function_call_output": Conversation.output,
    "reasoning": Conversation.reasoning,
    "item_reference": Conversation.reference,
}
"""How to take each type of item; each says whether a provider of the dialect can use it."""
