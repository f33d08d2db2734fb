"""What is said to a model and what it says back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.routing import DEFAULT_ROUTING, CacheMode, Routing


class ChatRole(StrEnum):
    """Who said a message of a prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that was asked for; arguments are one JSON object, not yet validated against the schema."""

    tool_call_id: str
    tool: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt: tool calls in those of the assistant, `tool_call_id` in those of a tool."""

    role: ChatRole
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool that the model may ask for, with the JSON Schema of its arguments."""

    name: str
    description: str
    parameters_json_schema: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A chat to complete.

    `model` is `provider/model`, or empty to let the router choose. `response_json_schema` makes the answer follow a
    schema; empty for free text. `max_output_tokens` 0 means the model's default. `conversation_id` names the
    conversation in the router's budgets, and keeps it with the model that knows it. `routing` is what the run's caller
    asked for. There is no temperature: some models refuse it, and a request that set one would rule them out.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolOffer, ...] = ()
    response_json_schema: str = ""
    max_output_tokens: int = 0
    request_id: str = ""
    conversation_id: str = ""
    routing: Routing = DEFAULT_ROUTING


@dataclass(frozen=True, slots=True)
class CacheHit:
    """An answer that came from the cache: how it was found, its age, and how similar its request was, in millionths."""

    mode: CacheMode
    age_ms: int
    similarity_ppm: int


@dataclass(frozen=True, slots=True)
class ChatStarted:
    """The model that answers is known: `provider/model`; `demonstration` marks one that ships with Nexus.

    `cache_hit` is set when the answer comes from the cache.
    """

    model: str
    demonstration: bool
    cache_hit: CacheHit | None = None


@dataclass(frozen=True, slots=True)
class ChatText:
    """More text."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatToolCallPart:
    """More of a tool call; parts with one index belong together and their arguments are joined."""

    index: int
    tool_call_id: str
    tool: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class ChatCompleted:
    """The end of the stream; a stream without it was cut. Money in millionths of a US dollar.

    `cost_unknown` says that an attempt was made at a model whose price nobody knows.
    """

    finish_reason: FinishReason
    input_tokens: int
    output_tokens: int
    cost_micro_usd: int
    cost_unknown: bool = False


ChatEvent = ChatStarted | ChatText | ChatToolCallPart | ChatCompleted


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that is configured.

    `context_length` is in tokens, 0 when unknown; `routable` says whether the router may choose it when no model is
    named, `free` whether it is known to cost nothing.
    """

    name: str
    chat: bool
    embeddings: bool
    tool_calling: bool
    context_length: int
    demonstration: bool
    routable: bool = True
    free: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models, in the order in which the router lists them, and what keeps further ones from being used.

    Each of the `troubles` is a sentence for people: a file that is not in force with its line, a provider without its
    key, a contract that is suspended.
    """

    models: tuple[ModelInfo, ...]
    troubles: tuple[str, ...] = ()

    def with_troubles(self, message: str) -> str:
        """Return the message, followed by the troubles."""
        return " ".join((message, *self.troubles))
