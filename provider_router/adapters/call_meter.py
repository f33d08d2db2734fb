"""Measures calls to providers: Prometheus metrics, and the observations that `ListProviders` shows.

Labels are names from the configuration and the closed set of reasons, so their number is bounded.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import Counter, Histogram

from provider_router.domain.catalog import ModelSpec
from provider_router.domain.errors import is_callers_fault
from provider_router.domain.provider_health import Observation
from provider_router.domain.usage import TokenUsage
from provider_router.ports.provider_observations import ProviderObservations
from shared.clock import Clock
from shared.errors import NexusError

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_LABELS = ("provider", "model", "operation")
_CALLS = Counter("nexus_router_attempts_total", "Calls to models by outcome.", (*_LABELS, "outcome"))
_DURATION = Histogram("nexus_router_attempt_seconds", "How long calls to models took.", _LABELS, buckets=_SECONDS)
_FIRST = Histogram(
    "nexus_router_first_token_seconds", "From the call to the first piece of the answer.", _LABELS, buckets=_SECONDS
)
_TOKENS = Counter("nexus_router_tokens_total", "Tokens used.", ("provider", "model", "kind"))
_USAGE_MISSING = Counter(
    "nexus_router_usage_missing_total", "Answers without a count of tokens, so without a price.", _LABELS
)


class CallMeter:
    """Measures the calls of one operation of one model."""

    def __init__(self, spec: ModelSpec, operation: str, observations: ProviderObservations, clock: Clock) -> None:
        self._spec = spec
        self._labels = (spec.provider.name, spec.name, operation)
        self._observations = observations
        self._clock = clock

    @contextmanager
    def measured(self) -> Generator[None]:
        """Measures the call inside the block. A call that is cancelled says nothing about the provider."""
        began = self._clock.monotonic()
        outcome = "cancelled"
        try:
            yield
            outcome = "ok"
            self._observe("")
        except NexusError as error:
            outcome = error.reason
            if not is_callers_fault(error):
                self._observe(error.reason)
            raise
        finally:
            _CALLS.labels(*self._labels, outcome).inc()
            _DURATION.labels(*self._labels).observe(self._clock.monotonic() - began)

    def first_piece(self, duration_s: float) -> None:
        """Notes how long the first piece took."""
        _FIRST.labels(*self._labels).observe(duration_s)

    def used(self, usage: TokenUsage | None) -> None:
        """Notes the tokens used, or that the provider did not say."""
        if usage is None:
            _USAGE_MISSING.labels(*self._labels).inc()
            return
        for kind, count in (
            ("input", usage.input_tokens - usage.cached_input_tokens),
            ("cached_input", usage.cached_input_tokens),
            ("output", usage.output_tokens),
        ):
            _TOKENS.labels(self._spec.provider.name, self._spec.name, kind).inc(count)

    def _observe(self, reason: str) -> None:
        self._observations.record(self._spec.provider.name, Observation(self._clock.now(), reason))
