"""Vectors of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.errors import Reason, failure


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of some texts, in the order of the texts, and the tokens used where the provider said so."""

    vectors: tuple[tuple[float, ...], ...]
    usage: TokenUsage | None


@dataclass(frozen=True, slots=True)
class Handling:
    """What their owner says of texts to embed.

    Attributes:
        data_class: How sensitive they are; None for the rules' default.
        residency: Regions in which they may be processed; empty for any.
        max_cost_micro_usd: Most that their vectors may be expected to cost; None for no limit.
        timeout_ms: For the whole call; None for the router's own.
        conversation_id: That budgets and the ledger count them to; empty for none.
    """

    data_class: DataClass | None = None
    residency: frozenset[str] = frozenset()
    max_cost_micro_usd: int | None = None
    timeout_ms: int | None = None
    conversation_id: str = ""


AS_RULES_SAY = Handling()


def unit_vectors(vectors: Sequence[Sequence[float]], count: int, dimensions: int) -> tuple[tuple[float, ...], ...]:
    """Scales vectors to unit length, after checking that they are what was asked for.

    Args:
        vectors: As the provider sent them.
        count: How many there must be.
        dimensions: How long each must be; 0 for any length that all share.

    Raises:
        UpstreamDown: PROVIDER_BAD_RESPONSE.
    """
    if len(vectors) != count:
        raise _bad(f"{len(vectors)} vectors for {count} texts")
    expected = dimensions or len(vectors[0])
    if any(len(vector) != expected or not vector for vector in vectors):
        raise _bad(f"vectors whose length is not {expected or 'at least 1'}")
    return tuple(_unit(vector) for vector in vectors)


def _unit(vector: Sequence[float]) -> tuple[float, ...]:
    norm = math.hypot(*vector)
    if not math.isfinite(norm) or norm == 0.0:
        raise _bad("a vector without direction")
    return tuple(value / norm for value in vector)


def _bad(what: str) -> Exception:
    return failure(Reason.PROVIDER_BAD_RESPONSE, f"The embedding provider sent {what}.")
