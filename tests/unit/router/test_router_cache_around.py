"""Around the cache: invalidating it, and what is told of it."""

from __future__ import annotations

from prometheus_client import REGISTRY
from router_cache_fakes import NOON, RecordingCacheObserver, SetClock, answer_at, key_of, lookup_of

from provider_router.adapters.cache_observer_metrics import MetricsCacheObserver
from provider_router.adapters.response_cache_memory import MemoryResponseCache
from provider_router.domain.cache.cached_answer import CacheSize, Hit
from provider_router.domain.calls.chat_call import CacheMode
from provider_router.use_cases.invalidate_cache import InvalidateCache


async def test_only_answers_that_are_older_are_removed() -> None:
    cache, observer, clock = MemoryResponseCache(), RecordingCacheObserver(), SetClock()
    await cache.put(key_of("old"), (), answer_at())
    await cache.put(key_of("new"), (), answer_at(NOON.replace(minute=30)))
    clock.pass_s(3600)

    assert await InvalidateCache(cache, observer, clock)("acme", older_than_s=1800.5) == 1
    assert await cache.find(lookup_of(key_of("new"))) is not None
    assert observer.sizes[-1].entries == 1
    assert await InvalidateCache(cache, observer, clock)("acme", model_prefix="one/") == 1


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def test_hits_misses_and_sizes_are_counted() -> None:
    observer = MetricsCacheObserver()
    names = {
        "exact": ("nexus_router_cache_hits_total", {"mode": "exact"}),
        "semantic": ("nexus_router_cache_hits_total", {"mode": "semantic"}),
        "miss": ("nexus_router_cache_misses_total", {"mode": "semantic"}),
        "bypassed": ("nexus_router_cache_bypassed_total", {}),
        "failed": ("nexus_router_cache_failures_total", {}),
    }
    before = {what: value(name, **labels) for what, (name, labels) in names.items()}
    observer.found(Hit(answer_at(), semantic=False, similarity_ppm=1_000_000, age_s=3))
    observer.found(Hit(answer_at(), semantic=True, similarity_ppm=970_000, age_s=3))
    observer.missed(CacheMode.SEMANTIC)
    observer.bypassed()
    observer.failed()
    observer.holds(CacheSize(5, 700))

    assert {what: value(name, **labels) - before[what] for what, (name, labels) in names.items()} == dict.fromkeys(
        names, 1
    )
    assert (value("nexus_router_cache_entries"), value("nexus_router_cache_bytes")) == (5, 700)


def test_a_hit_is_on_the_span_of_the_call_with_age_and_similarity() -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    observer = MetricsCacheObserver()
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("call") as span:
        observer.found(Hit(answer_at(), semantic=True, similarity_ppm=970_000, age_s=3.25))
    with tracer.start_as_current_span("call") as other:
        observer.missed(CacheMode.EXACT)
    assert trace.get_current_span() is trace.INVALID_SPAN

    assert dict(span.attributes) == {
        "nexus.cache.result": "semantic",
        "nexus.cache.age_s": 3.25,
        "nexus.cache.similarity_ppm": 970_000,
        "nexus.cache.decision_id": "d1",
    }
    assert dict(other.attributes) == {"nexus.cache.result": "miss"}
