"""Fakes around the cache of answers, and builders of what goes in and out of it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from provider_router.domain.cache.cached_answer import CachedAnswer, CacheKey, CacheLookup, CacheSize, Hit
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role
from provider_router.domain.calls.chat_call import CacheMode, ChatCall, RoutingOptions
from provider_router.domain.calls.events import ChatEvent, Completed, Started, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.domain.rulebook.rules import RuleSet

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HELLO = (
    Started("one/m", (), demonstration=False, decision_id="d1"),
    TextDelta("Hel"),
    TextDelta("lo"),
    Completed(FinishReason.STOP, TokenUsage(10, 2), 7),
)


def answer_at(time: datetime = NOON, **changes: object) -> CachedAnswer:
    """A whole answer that was given at `time`."""
    fields = {
        "model": "one/m",
        "demonstration": False,
        "decision_id": "d1",
        "deltas": (TextDelta("Hello"),),
        "finish_reason": FinishReason.STOP,
        "usage": TokenUsage(10, 2),
    }
    return CachedAnswer(**{**fields, **changes}, created=time)


def key_of(exact: str = "a", org_id: str = "acme", **changes: str) -> CacheKey:
    return CacheKey(org_id, exact, **{"family": "f", "bag": f"bag {exact}", "sequence": f"seq {exact}", **changes})


def lookup_of(key: CacheKey, vector: Sequence[float] = (), *, later_s: float = 0, **changes: object) -> CacheLookup:
    fields = {"min_similarity_ppm": 950_000, "max_age_s": 3600.0}
    return CacheLookup(key, tuple(vector), **{**fields, **changes}, now=NOON + timedelta(seconds=later_s))


def turned(degrees: float) -> tuple[float, ...]:
    """A vector of unit length; the cosine of two is that of the angle between them."""
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def rule_set(**changes: object) -> RuleSet:
    fields = {
        "org_id": "acme",
        "platform_policies": "",
        "org_policies": "",
        "requirements": (),
        "preferences": (),
        "tiers": {},
        "default_tier": "balanced",
        "default_data_class": DataClass.INTERNAL,
        "digest": "rules-1",
    }
    return RuleSet(**{**fields, **changes})


def asked(
    text: str = "What is the capital of France?",
    *,
    mode: CacheMode = CacheMode.EXACT,
    caller: Caller | None = None,
    before: Sequence[Message] = (),
    options: Mapping[str, object] | None = None,
    **parameters: object,
) -> ChatCall:
    """A call whose last message is `text`."""
    request = ChatRequest((*before, Message(Role.USER, text)), **parameters)
    return ChatCall(caller or Caller("acme", "ann"), request, RoutingOptions(cache=mode, **(options or {})))


@dataclass
class FakeRuleBook:
    """Has one set of rules for everybody."""

    rules: RuleSet = field(default_factory=rule_set)

    def of(self, org_id: str) -> RuleSet:
        return self.rules

    def error(self, org_id: str = "") -> str:
        return ""


@dataclass
class FakeAnswers:
    """Answers every call with `events`; an exception among them is raised, `...` hangs for ever."""

    events: Sequence[object] = HELLO
    calls: list[ChatCall] = field(default_factory=list)
    open_streams: int = 0

    async def stream(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        self.calls.append(call)
        self.open_streams += 1
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                if event is ...:
                    await asyncio.Event().wait()
                yield event
        finally:
            self.open_streams -= 1


@dataclass
class FakeLocalEmbedder:
    """Embeds with the vectors that it was given, and texts without one in directions of their own."""

    vectors: Mapping[str, Sequence[float]] = field(default_factory=dict)
    name: str = "local/embed@1/2"
    error: Exception | None = None
    waits_s: float = 0
    asked: list[str] = field(default_factory=list)

    def model(self) -> str:
        return self.name

    async def embed(self, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        self.asked += texts
        await asyncio.sleep(self.waits_s)
        if not self.name:
            raise failure(Reason.NO_MODEL_CONFIGURED, "None.")
        if self.error is not None:
            raise self.error
        return tuple(tuple(self.vectors.get(text) or turned(hash(text) % 360)) for text in texts)


@dataclass
class RecordingCacheObserver:
    """Remembers what it was told."""

    told: list[str] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    sizes: list[CacheSize] = field(default_factory=list)

    def found(self, hit: Hit) -> None:
        self.told.append("found")
        self.hits.append(hit)

    def missed(self, mode: CacheMode) -> None:
        self.told.append(f"missed {mode.value}")

    def bypassed(self) -> None:
        self.told.append("bypassed")

    def failed(self) -> None:
        self.told.append("failed")

    def holds(self, size: CacheSize) -> None:
        self.sizes.append(size)


class SetClock:
    """Says what it was told."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def pass_s(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
