"""Every chat counts as a request, whether a model answers it or the cache."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_cache_fakes import (
    HELLO,
    FakeAnswers,
    FakeLocalEmbedder,
    FakeRuleBook,
    RecordingCacheObserver,
    SetClock,
    asked,
)
from router_fakes import FakeRegistry, service_of, snapshot_of
from router_money_fakes import FakeLimitBook

from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.adapters.response_cache_memory import MemoryResponseCache
from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.calls.chat_call import CacheMode, ChatCall
from provider_router.domain.calls.events import ChatEvent, Started
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.use_cases.admit_answers import AdmitAnswers
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.answer_from_cache import AnswerFromCache, CacheParts
from shared.errors import InvalidInput, QuotaExceeded
from shared.testing.fakes import FakeClock

REQUESTS = Charge(Bucket(Scope.USER, "acme/ann", Unit.REQUESTS, 2), 1)
TOKENS = Charge(Bucket(Scope.USER, "acme/ann", Unit.TOKENS, 1), 1)


class Rig:
    """Two requests a minute, a cache, and a source that counts its calls."""

    def __init__(self) -> None:
        self.source = FakeAnswers(HELLO)
        self.embedder = FakeLocalEmbedder({})
        parts = CacheParts(
            MemoryResponseCache(),
            FakeRuleBook(),
            FakeRegistry(snapshot_of(service_of("one/m"))),
            self.embedder,
            RecordingCacheObserver(),
            SetClock(),
        )
        admit = AdmitCall(FakeLimitBook(charges=[REQUESTS, TOKENS]), MemoryRateLimiter(FakeClock()))
        self.answers = AdmitAnswers(admit, AnswerFromCache(self.source, parts))

    async def ask(self, call: ChatCall | None = None) -> list[ChatEvent]:
        return [event async for event in self.answers.stream(call or asked())]


async def test_a_hit_counts_as_a_request_and_takes_no_tokens() -> None:
    rig = Rig()
    await rig.ask()
    hit = (await rig.ask())[0]
    assert isinstance(hit, Started)
    assert hit.cache_hit is not None
    with pytest.raises(QuotaExceeded) as caught:
        await rig.ask()
    assert (caught.value.reason, caught.value.metadata["limited"]) == ("RATE_LIMITED", "requests")
    assert len(rig.source.calls) == 1


async def test_whoever_is_refused_has_nothing_looked_up() -> None:
    rig = Rig()
    for text in ("One question", "Two questions"):
        await rig.ask(asked(text, mode=CacheMode.EXACT))
    with pytest.raises(QuotaExceeded):
        await rig.ask(asked("Another question", mode=CacheMode.SEMANTIC))
    assert rig.embedder.asked == []


async def test_a_request_that_is_wrong_takes_nothing() -> None:
    rig = Rig()
    wrong = ChatRequest((Message(Role.SYSTEM, "Be nice."),))
    for _ in range(3):
        with pytest.raises(InvalidInput):
            await rig.ask(replace(asked(), request=wrong))
