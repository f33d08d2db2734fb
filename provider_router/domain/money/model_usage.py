"""What was used of each model, summed up over the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.calls.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """The closed attempts at one model.

    Attributes:
        service: `provider/model`.
        attempts: How many.
        succeeded: Of them, those that succeeded.
        usage: Tokens of all of them.
        cost_micro_usd: Of those whose cost is known.
        estimated: Of them, those whose tokens were counted by the router.
        cost_unknown: Of them, those of which nobody knows what they cost.
    """

    service: str
    attempts: int
    succeeded: int
    usage: TokenUsage
    cost_micro_usd: int
    estimated: int
    cost_unknown: int = 0
