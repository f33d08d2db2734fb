"""A chat to complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, cast

from provider_router.domain.calls.content import Part, modalities_of
from provider_router.domain.contracts.contract import Modality
from provider_router.domain.contracts.dialect import PROVIDER_TOOLS_TRAIT, Dialect
from provider_router.domain.errors import Reason, failure
from shared.value import value

_SCHEMA_CAP_BYTES = 256 * 1024
_TEXT = frozenset({Modality.TEXT})


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


@value
class ToolCall:
    """A tool call that a model asked for; `arguments_json` stands as the model wrote it."""

    id: str
    name: str
    arguments_json: str


@value
class Message:
    """One message of a chat.

    Attributes:
        role: Who said it.
        text: What was said; may be empty beside tool calls, and beside parts that are no text.
        tool_calls: Of the assistant.
        tool_call_id: Of a tool's message: the call that it answers.
        parts: The whole content in order, where it is more than `text`; then `text` is `text_of(parts)`. Empty where
            `text` is all.
        name: Of who spoke, among several in one role; empty for none.
        is_error: Of a tool's message: whether the tool failed.
    """

    role: Role
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    parts: tuple[Part, ...] = ()
    name: str = ""
    is_error: bool = False


@value
class Tool:
    """A tool that the model may ask for; `parameters` is a JSON Schema.

    Attributes:
        strict: Whether its arguments must follow the schema; None for the provider's choice.
        cached: As in `content.TextPart`: up to the end of this tool.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool | None = None
    cached: str = ""


class ToolUse(StrEnum):
    """Whether a model may ask for tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@value
class ToolChoice:
    """Which tools a model may ask for; with `name` it must ask for that one."""

    use: ToolUse = ToolUse.AUTO
    name: str = ""


@value
class Sampling:
    """How the next token is picked, besides the temperature; None for the model's default.

    Attributes:
        top_p: Share of the probability to pick from, 0 to 1.
        top_k: How many of the likeliest tokens to pick from.
        seed: For answers that repeat.
        frequency_penalty: -2 to 2.
        presence_penalty: -2 to 2.
        logit_bias: By token id, -100 to 100.
    """

    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None


_MODELS_OWN = Sampling()
# Of the names of foreign fields and kinds of tools, in all dialects.
_ACTS = (
    "web_search",
    "web_fetch",
    # Asks another model, at that one's price.
    "advisor",
    "code_execution",
    "code_interpreter",
    "file_search",
    "image_generation",
    "mcp",
    "plugins",
    "provider",
    "container",
    "file_id",
)
_SAMPLING = tuple(field.name for field in fields(Sampling))


@value
class Reasoning:
    """How much a model is to think before it answers.

    Attributes:
        effort: `none`, `minimal`, `low`, `medium`, `high`, or another word of the dialect; empty for none given.
        budget_tokens: Most tokens of thought; None for no limit given. 0 switches thinking off.
        shown: Whether the caller wants to see the thoughts.
    """

    effort: str = ""
    budget_tokens: int | None = None
    shown: bool = False

    @property
    def is_asked_for(self) -> bool:
        """Whether a model is to think; who asks it not to is content with one that cannot."""
        return self.effort not in ("", "none") or bool(self.budget_tokens) or self.shown


@value
class CallersBody:
    """A request as its caller wrote it, for providers that speak the caller's dialect.

    Attributes:
        dialect: It is written in.
        fields: The parsed body; nobody changes it.
        foreign: Fields of it that have no place in `ChatRequest`: only a provider of that dialect can know them.
        headers: Of the request, that a provider of that dialect is to get too: name and value. Such as permit what the
            body holds; another provider is not given them, and nothing is refused for that.
        hints: Fields of `fields` like those in `foreign`, but that change nothing of what is answered: another provider
            is not given them, and nothing is refused for that.
    """

    dialect: Dialect
    fields: Mapping[str, Any]
    foreign: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def acting(self) -> tuple[str, ...]:
        """The foreign fields by which the provider is to run tools of its own, or to work on what is stored with it."""
        return tuple(name for name in self.foreign if any(word in name.lower() for word in _ACTS))


@value
class ChatRequest:
    """A chat to complete, free of any provider's dialect.

    Attributes:
        messages: Oldest first; at least one.
        tools: That the model may ask for.
        response_schema: JSON Schema that the answer must follow; None for free text.
        temperature: 0 to 2; None for the model's default.
        max_output_tokens: Most tokens to generate; None for the model's default.
        stop: Texts that end the answer.
        schema_name: What the caller calls the schema; empty for none.
        schema_strict: Whether the answer must follow the schema to the letter.
        json_object: Whether the answer must be a JSON object, of no schema in particular.
        tool_choice: None for the provider's default.
        parallel_tool_calls: Whether the model may ask for several tools at once; None for the provider's default.
        sampling: How tokens are picked.
        reasoning: How much to think; None for the model's default.
        choices: How many answers to make; more than one only where `body` reaches the provider as it is.
        logprobs: How many likely tokens to tell for each token, 0 for the chosen one alone; None for none. Told only
            where the provider's answer reaches the caller as it is.
        end_user: The caller's own user, as the provider is to know it; empty for none.
        body: As the caller wrote it; None where that is of no use: it came over gRPC, or somebody changed the request.
        whole: Whether the provider is to answer in one piece. Then the answer's first piece is its last.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    response_schema: Mapping[str, Any] | None = None
    temperature: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    schema_name: str = ""
    schema_strict: bool = True
    json_object: bool = False
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    sampling: Sampling = _MODELS_OWN
    reasoning: Reasoning | None = None
    choices: int = 1
    logprobs: int | None = None
    end_user: str = ""
    body: CallersBody | None = None
    whole: bool = False

    @property
    def parameters(self) -> frozenset[str]:
        """The optional parameters that it sets; a contract with a trait of that name that is false takes it not."""
        given: set[str] = {"stop"} if self.stop else set()
        if self.temperature is not None:
            given.add("temperature")
        if self.json_object:
            given.add("json_object")
        if self.choices > 1:
            given.add("n")
        if self.logprobs is not None:
            given.add("logprobs")
        if self.reasoning is not None and self.reasoning.is_asked_for:
            given.add("reasoning")
        if self.body is not None and self.body.foreign and self.body.acting:
            given.add(PROVIDER_TOOLS_TRAIT)
        if self.sampling is not _MODELS_OWN:
            given.update(name for name in _SAMPLING if getattr(self.sampling, name) is not None)
        return frozenset(given)

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but texts and tool calls: there is no dialect that has no place for it."""
        if self.body is not None or self.tools or self.parameters:
            return False
        return not any(message.parts or message.name or message.is_error for message in self.messages)

    @property
    def input_modalities(self) -> frozenset[Modality]:
        """What kinds of input it holds."""
        found = [modalities_of(message.parts) for message in self.messages if message.parts]
        return _TEXT.union(*found) if found else _TEXT

    @property
    def needs_own_words(self) -> bool:
        """Whether only a provider's own words tell all that was asked for, so that nobody may translate the answer."""
        foreign = self.body is not None and bool(self.body.foreign)
        return foreign or self.choices > 1 or self.logprobs is not None

    def speaks(self, dialect: Dialect) -> bool:
        """Whether a provider of `dialect` can be asked in the caller's own words, and its answer be passed on."""
        return self.body is not None and self.body.dialect is dialect

    def check(self) -> None:
        """Checks what the contract's constraints cannot say.

        Raises:
            InvalidInput: INVALID_MESSAGES.
        """
        if not self.messages:
            raise failure(Reason.INVALID_MESSAGES, "Nobody says anything: add a message.")
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
    if message.tool_calls and any(not call.id or not call.name for call in message.tool_calls):
        return "has a tool call without id or name"
    if not message.text and not message.parts and not message.tool_calls and message.role in (Role.USER, Role.SYSTEM):
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
