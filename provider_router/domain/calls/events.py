"""What happens while a model answers. A model streams `ModelEvent`s; the router streams `ChatEvent`s."""

from __future__ import annotations

from typing import TypeAlias

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.usage import TokenUsage
from shared.value import value


@value
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


@value
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


@value
class Started:
    """The first piece of the answer is there; always first.

    Attributes:
        model: `provider/model` that answers.
        attempts: That failed before, in order.
        demonstration: Whether the model is one that ships with Nexus.
        decision_id: The decision that chose the model.
        cache_hit: None unless the answer comes from the cache.
        dropped: Parameters and content of the request that the model was not given, since its dialect or its contract
            has no place for them.
        limited_to: Most tokens that the model may generate, where that is less than the request allows; else 0.
    """

    model: str
    attempts: tuple[Attempt, ...]
    demonstration: bool
    decision_id: str = ""
    cache_hit: CacheHit | None = None
    dropped: tuple[str, ...] = ()
    limited_to: int = 0


@value
class Continued:
    """The answer broke off and another model goes on with it; what follows is its continuation.

    Attributes:
        model: `provider/model` that goes on.
        attempts: The one that broke off, and those that failed since.
    """

    model: str
    attempts: tuple[Attempt, ...]


@value
class TextDelta:
    """More text; never empty.

    Attributes:
        text: The text.
        refusal: Whether it is a refusal, in the model's words.
    """

    text: str
    refusal: bool = False


@value
class ThinkingDelta:
    """More of what the model thinks; the fields are those of `content.ThinkingPart`.

    Attributes:
        text: More thoughts.
        signature: Of the thoughts that came before it.
        redacted: Thoughts of their own, whole.
    """

    text: str = ""
    signature: str = ""
    redacted: str = ""


@value
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


@value
class Relayed:
    """What a provider said, for a caller of the provider's dialect.

    Such a caller is sent the `wire` of `Relayed` events and of the last one, and nothing else: together they are the
    provider's answer, as it came.

    Attributes:
        wire: Whole server-sent events, unchanged in their data, without the one that ends streams of the dialect of
            chat completions; may be empty.
        events: What the router understood of them; may be empty.
    """

    wire: bytes
    events: tuple[TextDelta | ThinkingDelta | ToolCallDelta, ...] = ()


@value
class Finished:
    """The model is done; always a model's last event.

    Attributes:
        finish_reason: Why it stopped.
        usage: Tokens used; None where the provider did not say.
        billed_micro_usd: What the provider says that it charges, in millionths of a US dollar; None where it does not
            say. It holds instead of the contract's price: some charge for more than tokens.
        stop_text: The text of `ChatRequest.stop` that ended the answer; empty where none did or nobody says.
        wire: The rest of what a caller of the provider's dialect is sent: of a stream as in `Relayed`, of a whole
            answer its JSON body. Empty for callers of other dialects.
    """

    finish_reason: FinishReason
    usage: TokenUsage | None
    billed_micro_usd: int | None = None
    stop_text: str = ""
    wire: bytes = b""


@value
class Completed:
    """The answer is complete; always last.

    Attributes:
        finish_reason: Why the model stopped.
        usage: Tokens of the answer, also of what another model said before it broke off; None where the last provider
            did not say.
        cost_micro_usd: What every attempt of the call cost together, in millionths of a US dollar, as the ledger has
            it: with tokens that the router counted where a provider did not.
        cost_unknown: Whether one of them was at a model whose price nobody knows; it is not in `cost_micro_usd`.
        stop_text: As in `Finished`.
        wire: As in `Finished`.
    """

    finish_reason: FinishReason
    usage: TokenUsage | None
    cost_micro_usd: int
    cost_unknown: bool = False
    stop_text: str = ""
    wire: bytes = b""


Delta: TypeAlias = TextDelta | ThinkingDelta | ToolCallDelta
ModelEvent: TypeAlias = Delta | Relayed | Finished
ChatEvent: TypeAlias = Started | Continued | Delta | Relayed | Completed
