"""Reads messages: turns of blocks become messages of parts, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson

from provider_router.domain.calls.chat import Message, Role, ToolCall
from provider_router.domain.calls.content import Part, TextPart, ThinkingPart, text_of
from provider_router.servicer.http.anthropic_messages.media import document_in, image_in, marked
from provider_router.servicer.http.anthropic_messages.reading import Findings, cached_in
from provider_router.servicer.http.fields import (
    WrongFieldError,
    each_in,
    field_in,
    flag_in,
    list_in,
    maybe_in,
    object_in,
    one_of,
    text_in,
    word_in,
)

_MOST_MESSAGES = 10_000
_MOST_ID = 256
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_MESSAGE = frozenset({"role", "content"})
_TEXT = frozenset({"type", "text", "cache_control", "citations"})
_THINKING = frozenset({"type", "thinking", "signature"})
_REDACTED = frozenset({"type", "data"})
_TOOL_USE = frozenset({"type", "id", "name", "input", "cache_control", "caller"})
_TOOL_RESULT = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})


def system_in(value: Any, found: Findings) -> list[Message]:
    """The instructions of `system`: text, or blocks of it."""
    reader = _ContentReader(found)
    turn = _Turn(reader, Role.SYSTEM)
    turn.content(value)
    turn.end()
    return reader.messages


def turns_in(value: Any, found: Findings) -> list[Message]:
    """The messages of `messages`."""
    reader = _ContentReader(found)
    each_in(list_in(value, 1, _MOST_MESSAGES), reader.turn)
    return reader.messages


class _ContentReader:
    """Reads content, and notes in `found` what is foreign.

    Attributes:
        messages: That were read.
    """

    __slots__ = ("_found", "messages")

    def __init__(self, found: Findings) -> None:
        self.messages: list[Message] = []
        self._found = found

    def turn(self, value: Any) -> None:
        """Reads one of `messages`."""
        message = object_in(value)
        role = _ROLES[field_in(message, "role", _role)]
        if len(message) > 2:
            self._found.rest_of(message, _MESSAGE)
        content = message.get("content")
        if type(content) is str and (content or role is Role.ASSISTANT):
            self.messages.append(Message(role, content))
            return
        turn, before = _Turn(self, role), len(self.messages)
        field_in(message, "content", turn.content)
        turn.end()
        if len(self.messages) == before:
            raise WrongFieldError("must not be empty", ".content")

    def result(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Reads a `tool_result`: a message of its own, after what its turn said before."""
        turn.end()
        self._found.rest_of(block, _TOOL_RESULT)
        call_id = field_in(block, "tool_use_id", _id)
        is_error = maybe_in(block, "is_error", flag_in, default=False)
        content, cached = block.get("content"), cached_in(block)
        if content is None or (type(content) is str and not cached):
            self.messages.append(Message(Role.TOOL, content or "", tool_call_id=call_id, is_error=is_error))
            return
        said = _Turn(self, Role.TOOL)
        field_in(block, "content", said.content)
        parts = tuple(marked(said.parts, cached))
        self.messages.append(Message(Role.TOOL, text_of(parts), (), call_id, _if_more(parts), is_error=is_error))

    def thinking(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Reads a `thinking` block."""
        self._found.rest_of(block, _THINKING)
        text = field_in(block, "thinking", text_in)
        signature = maybe_in(block, "signature", text_in, "")
        self._found.unsigned = self._found.unsigned or not signature
        turn.parts.append(ThinkingPart(text, signature))

    def text(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Reads a `text` block."""
        text, cached = field_in(block, "text", text_in), ""
        if len(block) > 2:
            self._found.rest_of(block, _TEXT)
            cached = cached_in(block)
            if block.get("citations"):
                self._found.hints["citations"] = None
        if text:
            turn.parts.append(TextPart(text, cached))

    def call(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Reads a `tool_use` block."""
        if len(block) > 4:
            self._found.rest_of(block, _TOOL_USE)
            if cached_in(block):
                self._found.hints["cache_control"] = None
        call_id, name = field_in(block, "id", _id), field_in(block, "name", _id)
        turn.calls.append(ToolCall(call_id, name, field_in(block, "input", _arguments)))

    def media(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Reads an `image` or a `document`."""
        if block["type"] == "image":
            turn.parts.append(image_in(block, self._found))
        else:
            turn.parts.extend(document_in(block, self._found))

    def foreign(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Keeps a block that no other dialect has as what it says: so it is counted, and its turn is not empty."""
        self._found.nulls = self._found.nulls or None in block.values()
        self._found.add_foreign(block["type"], block)
        turn.parts.append(TextPart(orjson.dumps(block).decode()))

    def redacted(self, turn: _Turn, block: Mapping[str, Any]) -> None:
        """Reads a `redacted_thinking` block."""
        self._found.rest_of(block, _REDACTED)
        turn.parts.append(ThinkingPart(redacted=field_in(block, "data", lambda said: word_in(said, 0))))


_ReadBlock: TypeAlias = Callable[[_ContentReader, "_Turn", Mapping[str, Any]], None]
_TEXT_ONLY: Mapping[str, _ReadBlock] = {"text": _ContentReader.text}
_SHOWN: Mapping[str, _ReadBlock] = {**_TEXT_ONLY, "image": _ContentReader.media, "document": _ContentReader.media}
_BLOCKS: Mapping[Role, Mapping[str, _ReadBlock]] = {
    Role.SYSTEM: _TEXT_ONLY,
    Role.TOOL: _SHOWN,
    Role.USER: {**_SHOWN, "tool_result": _ContentReader.result},
    Role.ASSISTANT: {
        **_TEXT_ONLY,
        "tool_use": _ContentReader.call,
        "thinking": _ContentReader.thinking,
        "redacted_thinking": _ContentReader.redacted,
    },
}
_KNOWN = frozenset(kind for kinds in _BLOCKS.values() for kind in kinds)
_WHO = {Role.SYSTEM: "the system", Role.TOOL: "a tool", Role.USER: "the user", Role.ASSISTANT: "the assistant"}


class _Turn:
    """One turn while it is read."""

    __slots__ = ("_reader", "_readers", "_role", "calls", "parts")

    def __init__(self, reader: _ContentReader, role: Role) -> None:
        self.parts: list[Part] = []
        self.calls: list[ToolCall] = []
        self._reader = reader
        self._role = role
        self._readers = _BLOCKS[role]

    def content(self, value: Any) -> None:
        """Reads text, or a list of blocks."""
        if type(value) is str:
            if value:
                self.parts.append(TextPart(value))
        elif type(value) is list:
            each_in(list_in(value), self.block)
        else:
            raise WrongFieldError("must be text or a list")

    def block(self, value: Any) -> None:
        """Reads the next block."""
        block = object_in(value)
        kind = field_in(block, "type", text_in)
        read = self._readers.get(kind)
        if read is not None:
            read(self._reader, self, block)
        elif kind in _KNOWN or self._role is Role.SYSTEM:
            raise WrongFieldError(f"{kind} is nothing that {_WHO[self._role]} may say", ".type")
        else:
            self._reader.foreign(self, block)

    def end(self) -> None:
        """Makes a message of what was read since the last one, if anything was."""
        if not self.parts and not self.calls and self._role is not Role.ASSISTANT:
            return
        parts = tuple(self.parts)
        self._reader.messages.append(Message(self._role, text_of(parts), tuple(self.calls), parts=_if_more(parts)))
        self.parts, self.calls = [], []


def _if_more(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """`parts`, unless they are one plain text."""
    if len(parts) == 1 and isinstance(parts[0], TextPart) and not parts[0].cached:
        return ()
    return parts


def _role(value: Any) -> str:
    return one_of(value, _ROLES)


def _id(value: Any) -> str:
    return word_in(value, _MOST_ID)


def _arguments(value: Any) -> str:
    return orjson.dumps(object_in(value)).decode()
