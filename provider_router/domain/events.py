"""What happens while a model answers. A model streams `ModelEvent`s; the router streams `ChatEvent`s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from provider_router.domain.chat import FinishReason
from provider_router.domain.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class Attempt:
    """A model that was tried before and failed.

    Attributes:
        model: `provider/model`.
        reason: Why, of `errors.Reason`.
        duration_s: How long it took.
    """

    model: str
    reason: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Started:
    """The first piece of the answer is there; always first.

    Attributes:
        model: `provider/model` that answers.
        attempts: That failed before, in order.
        demonstration: Whether the model is one that ships with Nexus.
    """

    model: str
    attempts: tuple[Attempt, ...]
    demonstration: bool


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a tool call. Pieces with one index belong together.

    Attributes:
        index: Which call of the message, from 0.
        id: In the first piece, else empty.
        name: In the first piece, else empty.
        arguments_json: The next piece of the arguments.
    """

    index: int
    id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The model is done; always a model's last event. `usage` is None where the provider did not say."""

    finish_reason: FinishReason
    usage: TokenUsage | None


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is complete; always last.

    Attributes:
        finish_reason: Why the model stopped.
        usage: Tokens used; None where the provider did not say.
        cost_micro_usd: In millionths of a US dollar; 0 without a price or without usage.
    """

    finish_reason: FinishReason
    usage: TokenUsage | None
    cost_micro_usd: int


ModelEvent: TypeAlias = TextDelta | ToolCallDelta | Finished
ChatEvent: TypeAlias = Started | TextDelta | ToolCallDelta | Completed
