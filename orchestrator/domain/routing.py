"""How the model calls of a run are to be routed: what its caller asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DataClass(StrEnum):
    """How sensitive texts are, least sensitive first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class CacheMode(StrEnum):
    """Which answers of the cache will do: to the very same request, or also to one of the same meaning."""

    EXACT = "exact"
    SEMANTIC = "semantic"


@dataclass(frozen=True, slots=True)
class Routing:
    """What every model call of a run is routed by. Empty: the defaults of the rules.

    Attributes:
        tier: of the rules.
        data_class: of question, history and results; None for the rules' default.
        residency: regions in which they may be processed; empty for any.
        max_cost_micro_usd: most that one call may be expected to cost, in millionths of a US dollar; None for no limit.
        cache_mode: which answers of the cache will do; None for none.
    """

    tier: str = ""
    data_class: DataClass | None = None
    residency: tuple[str, ...] = ()
    max_cost_micro_usd: int | None = None
    cache_mode: CacheMode | None = None


DEFAULT_ROUTING = Routing()
