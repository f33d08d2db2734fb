"""Counts what the cache did, and notes it on the span of the call."""

from __future__ import annotations

from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

from provider_router.domain.cache.cached_answer import CacheSize, Hit
from provider_router.domain.calls.chat_call import CacheMode

_HITS = Counter("nexus_router_cache_hits_total", "Answers from the cache.", ("mode",))
_MISSES = Counter("nexus_router_cache_misses_total", "Calls that asked for the cache and found nothing.", ("mode",))
_BYPASSED = Counter(
    "nexus_router_cache_bypassed_total", "Calls that asked for the cache with data too sensitive for it."
)
_FAILURES = Counter("nexus_router_cache_failures_total", "Times that the cache could not be read or written.")
_AGE = Histogram(
    "nexus_router_cache_hit_age_seconds",
    "How old answers from the cache were.",
    buckets=(1, 10, 60, 600, 3600, 21_600, 86_400, 604_800),
)
_ENTRIES = Gauge("nexus_router_cache_entries", "Answers in the cache.")
_BYTES = Gauge("nexus_router_cache_bytes", "Bytes of the answers in the cache.")
_HIT = {semantic: _HITS.labels(mode) for semantic, mode in ((False, "exact"), (True, "semantic"))}
_MISS = {mode: _MISSES.labels(mode.value) for mode in (CacheMode.EXACT, CacheMode.SEMANTIC)}


class MetricsCacheObserver:
    """Implements `CacheObserver` with Prometheus and OpenTelemetry."""

    def found(self, hit: Hit) -> None:
        """An answer came from the cache."""
        _HIT[hit.semantic].inc()
        _AGE.observe(hit.age_s)
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attribute("nexus.cache.result", "semantic" if hit.semantic else "exact")
            span.set_attribute("nexus.cache.age_s", round(hit.age_s, 3))
            span.set_attribute("nexus.cache.similarity_ppm", hit.similarity_ppm)
            span.set_attribute("nexus.cache.decision_id", hit.answer.decision_id)

    def missed(self, mode: CacheMode) -> None:
        """None was there."""
        _MISS[mode].inc()
        _note("miss")

    def bypassed(self) -> None:
        """A call asked for the cache and may not use it."""
        _BYPASSED.inc()
        _note("bypassed")

    def failed(self) -> None:
        """The cache could not be read or written."""
        _FAILURES.inc()

    def holds(self, size: CacheSize) -> None:
        """How much is kept now."""
        _ENTRIES.set(size.entries)
        _BYTES.set(size.bytes)


def _note(result: str) -> None:
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attribute("nexus.cache.result", result)
