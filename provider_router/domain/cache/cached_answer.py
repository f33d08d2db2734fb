"""Answers that are kept, and what they are found by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage

Delta: TypeAlias = TextDelta | ToolCallDelta


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A complete answer, as it was streamed.

    Attributes:
        model: `provider/model` that gave it.
        demonstration: Whether that model ships with Nexus.
        decision_id: The decision that chose it.
        deltas: In the order in which they came; neighbours that belong together may be joined.
        finish_reason: STOP or TOOL_CALLS: others are no complete answers.
        usage: As the provider reported it then.
        created: When it was complete, UTC.
    """

    model: str
    demonstration: bool
    decision_id: str
    deltas: tuple[Delta, ...]
    finish_reason: FinishReason
    usage: TokenUsage | None
    created: datetime


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What an answer is kept under, as `cache_key` makes it; every part but the first is a SHA-256, hexadecimal.

    Attributes:
        org_id: Whose answer it is.
        exact: Of everything that was asked, and how.
        family: Of the same without the last message's words, but with what two requests must share to mean the same;
            empty where only the very same request may find the answer.
        bag: Of the last message's content words in alphabetical order; empty without a family.
        sequence: Of the same words as they stand. Two requests with one bag and two sequences say different things.
    """

    org_id: str
    exact: str
    family: str = ""
    bag: str = ""
    sequence: str = ""

    def may_mean(self, other: CacheKey) -> bool:
        """Whether a request with this key may mean what one with `other` means, when their vectors are alike."""
        same_family = self.org_id == other.org_id and self.family != "" and self.family == other.family
        return same_family and (self.bag != other.bag or self.sequence == other.sequence)


@dataclass(frozen=True, slots=True)
class CacheLookup:
    """What is looked for.

    Attributes:
        key: Of the request.
        vector: Of its last message, of unit length; empty to find the very same request only.
        min_similarity_ppm: Least cosine of a semantic hit, in millionths.
        max_age_s: The oldest answer to take, in seconds; more than 0.
        now: The time, UTC.
    """

    key: CacheKey
    vector: tuple[float, ...]
    min_similarity_ppm: int
    max_age_s: float
    now: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer that was found. The fields mean what they mean in `events.CacheHit`."""

    answer: CachedAnswer
    semantic: bool
    similarity_ppm: int
    age_s: float


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How much is kept, of all organisations together. `bytes` counts what is stored, without the store's own needs."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CacheBounds:
    """How much may be kept.

    Where a bound is passed, the organisation with the most bytes loses the answers that it has not used for the longest
    time.

    Attributes:
        entries: Most answers, at least 1.
        bytes: Most bytes.
        entry_bytes: Most bytes of one answer; a larger one is not kept.
        compared: Most vectors that a semantic lookup compares: the newest of the family.
        keep_s: Older answers are removed.
    """

    entries: int = 50_000
    bytes: int = 256 * 1024 * 1024
    entry_bytes: int = 1024 * 1024
    compared: int = 2_000
    keep_s: float = 86_400
