"""What happens while a model answers. A model streams `ModelEvent`s; the router streams `ChatEvent`s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class Attempt:
    """A model that was tried before and failed.

    Attributes:
        model: `provider/model`.
        reason: Why, of `errors.Reason`.
        duration_s: How long it took.
        deployment: That was called; empty when none was.
    """

    model: str
    reason: str
    duration_s: float
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class CacheHit:
    """An answer that comes from the cache.

    Attributes:
        semantic: Whether its request had the same meaning and was not the very same.
        age_s: How old it is.
        similarity_ppm: How similar its request was; 1_000_000 for the very same.
    """

    semantic: bool
    age_s: float
    similarity_ppm: int


@dataclass(frozen=True, slots=True)
class Started:
    """The first piece of the answer is there; always first.

    Attributes:
        model: `provider/model` that answers.
        attempts: That failed before, in order.
        demonstration: Whether the model is one that ships with Nexus.
        decision_id: The decision that chose the model.
        cache_hit: None unless the answer comes from the cache.
    """

    model: str
    attempts: tuple[Attempt, ...]
    demonstration: bool
    decision_id: str = ""
    cache_hit: CacheHit | None = None


@dataclass(frozen=True, slots=True)
class Continued:
    """The answer broke off and another model goes on with it; what follows is its continuation.

    Attributes:
        model: `provider/model` that goes on.
        attempts: The one that broke off, and those that failed since.
    """

    model: str
    attempts: tuple[Attempt, ...]


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
    """The model is done; always a model's last event.

    Attributes:
        finish_reason: Why it stopped.
        usage: Tokens used; None where the provider did not say.
        billed_micro_usd: What the provider says that it charges, in millionths of a US dollar; None where it does not
            say. It holds instead of the contract's price: some charge for more than tokens.
    """

    finish_reason: FinishReason
    usage: TokenUsage | None
    billed_micro_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is complete; always last.

    Attributes:
        finish_reason: Why the model stopped.
        usage: Tokens of the answer, also of what another model said before it broke off; None where the last provider
            did not say.
        cost_micro_usd: What every attempt of the call cost together, in millionths of a US dollar, as the ledger has
            it: with tokens that the router counted where a provider did not.
        cost_unknown: Whether one of them was at a model whose price nobody knows; it is not in `cost_micro_usd`.
    """

    finish_reason: FinishReason
    usage: TokenUsage | None
    cost_micro_usd: int
    cost_unknown: bool = False


ModelEvent: TypeAlias = TextDelta | ToolCallDelta | Finished
ChatEvent: TypeAlias = Started | Continued | TextDelta | ToolCallDelta | Completed
