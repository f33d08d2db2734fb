"""A chat to complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from provider_router.domain.errors import Reason, failure

_SCHEMA_CAP_BYTES = 256 * 1024


class Role(StrEnum):
    """Who said a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that a model asked for; `arguments_json` stands as the model wrote it."""

    id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat.

    Attributes:
        role: Who said it.
        text: What was said; may be empty beside tool calls.
        tool_calls: Of the assistant.
        tool_call_id: Of a tool's message: the call that it answers.
    """

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may ask for; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat to complete, free of any provider's dialect.

    Attributes:
        messages: Oldest first; at least one.
        tools: That the model may ask for.
        response_schema: JSON Schema that the answer must follow; None for free text.
        temperature: 0 to 2; None for the model's default.
        max_output_tokens: Most tokens to generate; None for the model's default.
        stop: Texts that end the answer.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    response_schema: Mapping[str, Any] | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()

    @property
    def parameters(self) -> frozenset[str]:
        """The optional parameters that it sets; a contract with a trait of that name that is false takes it not."""
        is_set = {"temperature": self.temperature is not None, "stop": bool(self.stop)}
        return frozenset(name for name, given in is_set.items() if given)

    def check(self) -> None:
        """Checks what the contract's constraints cannot say.

        Raises:
            InvalidInput: INVALID_MESSAGES.
        """
        for index, message in enumerate(self.messages):
            problem = _problem(message)
            if problem:
                raise failure(Reason.INVALID_MESSAGES, f"messages[{index}] {problem}.")
        if self.messages[-1].role is Role.SYSTEM and len(self.messages) == 1:
            raise failure(Reason.INVALID_MESSAGES, "messages hold instructions only; add what the user says.")


def _problem(message: Message) -> str:
    if message.role is Role.TOOL and not message.tool_call_id:
        return "is of a tool and needs tool_call_id"
    if message.role is not Role.ASSISTANT and message.tool_calls:
        return "has tool_calls, which only the assistant may have"
    if any(not call.id or not call.name for call in message.tool_calls):
        return "has a tool call without id or name"
    if not message.text and not message.tool_calls and message.role in (Role.USER, Role.SYSTEM):
        return "is empty"
    return ""


def parse_schema(text: str, field: str) -> Mapping[str, Any]:
    """Parses a JSON Schema that came as text.

    Args:
        text: One JSON object, at most 256 KB.
        field: The request's field, for the message.

    Raises:
        InvalidInput: INVALID_SCHEMA.
    """
    if len(text) > _SCHEMA_CAP_BYTES:
        raise failure(Reason.INVALID_SCHEMA, f"{field} is longer than {_SCHEMA_CAP_BYTES} characters.")
    try:
        schema: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise failure(Reason.INVALID_SCHEMA, f"{field} is not JSON.") from error
    if not isinstance(schema, dict):
        raise failure(Reason.INVALID_SCHEMA, f"{field} must be a JSON object.")
    return cast("Mapping[str, Any]", schema)
