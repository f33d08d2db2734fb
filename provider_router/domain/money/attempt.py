"""Attempts: each call to a provider, with its place in the ledger."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import UNKNOWN_PRICE, Operation
from provider_router.domain.decisions.route_request import Caller
from shared.value import value


class Outcome(StrEnum):
    """How an attempt ended."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"  # the caller left, or the router stopped
    OUTRACED = "outraced"  # another attempt of the same call was first
    LOST = "lost"  # the router died in the middle; settled at what was reserved


@value
class AttemptOpening:
    """An attempt that is about to be made. Its row is in the ledger before the provider hears of it.

    Attributes:
        attempt_id: Unique; opening it twice is opening it once.
        decision_id: The decision that it carries out; empty for embeddings.
        caller: Who pays.
        conversation_id: Empty for none.
        operation: Chat or embed.
        service: `provider/model`.
        deployment: Of the provider.
        number: Which attempt of its call, from 1.
        streamed: Whether the caller asked for a stream.
        hedge: Whether it was started beside another one.
        price_version: UNKNOWN_PRICE where nobody knows the price; empty for what is free without one.
        reserved: Tokens that it may use at most: the prompt as estimated, the answer as limited.
        reserved_micro_usd: What those cost.
        time: Of the opening, UTC.
    """

    attempt_id: str
    decision_id: str
    caller: Caller
    conversation_id: str
    operation: Operation
    service: str
    deployment: str
    number: int
    streamed: bool
    hedge: bool
    price_version: str
    reserved: TokenUsage
    reserved_micro_usd: int
    time: datetime


@value
class AttemptClosing:
    """How an attempt ended. Closing one twice is closing it once; the first closing counts.

    Attributes:
        attempt_id: Of the opening.
        outcome: Not OPEN.
        reason: Of `errors.Reason`; empty for success.
        usage: Tokens used.
        estimated: Whether `usage` was counted by the router, since the provider did not say.
        cost_micro_usd: What they cost, by the price version of the opening.
        first_token_ms: Time to the first piece; None when none came.
        duration_ms: Of the attempt.
        time: Of the end, UTC.
    """

    attempt_id: str
    outcome: Outcome
    reason: str
    usage: TokenUsage
    estimated: bool
    cost_micro_usd: int
    first_token_ms: int | None
    duration_ms: int
    time: datetime


@value
class LedgerEntry:
    """A row of the ledger. `closing` is None while it is open. `sequence` counts up from 1 in each organisation."""

    sequence: int
    opening: AttemptOpening
    closing: AttemptClosing | None

    @property
    def cost_is_unknown(self) -> bool:
        """Whether it ended and nobody knows what it cost."""
        return self.closing is not None and cost_is_unknown(self.opening, self.closing)


def cost_is_unknown(opening: AttemptOpening, closing: AttemptClosing) -> bool:
    """Whether an attempt used tokens, its contract had no price, and its provider did not say what it charges."""
    used = closing.usage.input_tokens + closing.usage.output_tokens
    return opening.price_version == UNKNOWN_PRICE and used > 0 and closing.cost_micro_usd == 0
