"""Attempts as Prometheus metrics and OpenTelemetry spans.

Names follow the OpenTelemetry semantic conventions for generative AI (`gen_ai.*`, status Development), metrics in their
Prometheus form: https://opentelemetry.io/docs/specs/semconv/gen-ai/. Labels are names of configured services and the
closed sets of operations, outcomes and reasons, so their number is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import get_current

from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import Service
from provider_router.domain.money.attempt import Outcome
from provider_router.ports.attempt_observer import AttemptRecord
from shared.telemetry.tally import Count, Counts, Spread, Spreads

_GEN_AI = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
_TOKEN_BUCKETS = tuple(4**power for power in range(14))
_DURATION_BUCKETS = tuple(0.01 * 2**power for power in range(14))
_FIRST_TOKEN_BUCKETS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_PER_TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_OVERHEAD_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)

_TOKENS = Spreads(
    "gen_ai_client_token_usage", "Tokens of an attempt.", (*_GEN_AI, "gen_ai_token_type"), buckets=_TOKEN_BUCKETS
)
_DURATION = Spreads(
    "gen_ai_server_request_duration_seconds",
    "How long an attempt took, to its last token or its failure.",
    (*_GEN_AI, "error_type"),
    buckets=_DURATION_BUCKETS,
)
_FIRST_TOKEN = Spreads(
    "gen_ai_server_time_to_first_token_seconds",
    "From the call to the first piece of an answer that succeeded.",
    _GEN_AI,
    buckets=_FIRST_TOKEN_BUCKETS,
)
_PER_TOKEN = Spreads(
    "gen_ai_server_time_per_output_token_seconds",
    "Time per token after the first one, of an answer that succeeded.",
    _GEN_AI,
    buckets=_PER_TOKEN_BUCKETS,
)
_ATTEMPTS = Counts(
    "nexus_router_attempts_total",
    "Attempts by how they ended.",
    ("provider", "model", "operation", "outcome", "reason"),
)
_ESTIMATED = Counts(
    "nexus_router_usage_estimated_total",
    "Attempts whose tokens the router counted, since the provider did not say.",
    ("provider", "model", "operation"),
)
_COST = Counts("nexus_router_cost_usd_total", "What attempts cost, in US dollars.", ("provider", "model", "operation"))
_PASSED_OVER = Counts(
    "nexus_router_passed_over_total",
    "Services of a chain that could not be called at the moment.",
    ("provider", "model", "reason"),
)
_FALLBACKS = Counts(
    "nexus_router_fallbacks_total",
    "Calls that went on to another service, by the one that they left.",
    ("provider", "model", "reason"),
)
_DECISIONS = Counts(
    "nexus_router_decisions_total", "Decisions; `reason` is OK, or why there was no service.", ("reason",)
)
_OVERHEAD = Spreads(
    "nexus_router_overhead_seconds",
    "From the arrival of a call to its first attempt: admission, decision, reservation.",
    buckets=_OVERHEAD_BUCKETS,
)
_OPERATIONS = {Operation.CHAT: "chat", Operation.EMBED: "embeddings"}
_SERVICES_CAP = 1000
_OTHER = "_other"
_tracer = trace.get_tracer("nexus.router")


@dataclass(slots=True)
class _Series:
    """The children of one service and operation, looked up once."""

    input_tokens: Spread
    output_tokens: Spread
    first_token: Spread
    per_token: Spread
    estimated: Count
    cost: Count


class OtelAttemptObserver:
    """Implements `AttemptObserver`. An attempt is drawn where the request that it is for is recorded."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, Operation], _Series] = {}
        self._ended: dict[tuple[str, Operation, str, str], tuple[Count, Spread]] = {}
        self._counters: dict[tuple[int, str, str], Count] = {}
        self._decisions: dict[str, Count] = {}
        self._models: set[str] = set()
        self._overhead = _OVERHEAD.labels()

    def ended(self, record: AttemptRecord) -> None:
        """An attempt ended."""
        opening, closing, service = record.opening, record.closing, record.service
        count, duration = self._of_end(service, opening.operation, closing.outcome, closing.reason)
        count.inc()
        duration.observe(closing.duration_ms / 1000)
        series = self._of(service, opening.operation)
        if closing.usage.input_tokens or closing.usage.output_tokens:
            series.input_tokens.observe(closing.usage.input_tokens)
            if opening.operation is Operation.CHAT:
                series.output_tokens.observe(closing.usage.output_tokens)
        if closing.estimated:
            series.estimated.inc()
        if closing.cost_micro_usd:
            series.cost.inc(closing.cost_micro_usd / 1_000_000)
        if closing.outcome is Outcome.SUCCEEDED and closing.first_token_ms is not None:
            series.first_token.observe(closing.first_token_ms / 1000)
            if closing.usage.output_tokens > 1:
                rest_ms = closing.duration_ms - closing.first_token_ms
                series.per_token.observe(rest_ms / 1000 / (closing.usage.output_tokens - 1))
        # Where nothing is drawn there is no context at all, which is seen sooner.
        if get_current() and trace.get_current_span().is_recording():
            _draw(record)

    def passed_over(self, service: Service, reason: str) -> None:
        """A service could not be called."""
        self._counter(_PASSED_OVER, service, reason).inc()

    def fell_back(self, service: Service, reason: str) -> None:
        """A call went on to another service."""
        self._counter(_FALLBACKS, service, reason).inc()

    def decided(self, reason: str) -> None:
        """A decision was made."""
        known = self._decisions.get(reason)
        if known is None:
            known = self._decisions[reason] = _DECISIONS.labels(reason)
        known.inc()

    def began(self, overhead_s: float) -> None:
        """A first attempt was handed to its provider."""
        self._overhead.observe(overhead_s)

    def _names(self, service: Service) -> tuple[str, str]:
        """Provider and model as labels; models beyond the cap, which only callers can register, share one."""
        if service.name not in self._models:
            if len(self._models) >= _SERVICES_CAP:
                return service.provider.name, _OTHER
            self._models.add(service.name)
        return service.provider.name, service.model

    def _of(self, service: Service, operation: Operation) -> _Series:
        known = self._series.get((service.name, operation))
        if known is None:
            provider, model = self._names(service)
            labels = (_OPERATIONS.get(operation, operation.value), provider, model)
            own = (provider, model, operation.value)
            known = _Series(
                _TOKENS.labels(*labels, "input"),
                _TOKENS.labels(*labels, "output"),
                _FIRST_TOKEN.labels(*labels),
                _PER_TOKEN.labels(*labels),
                _ESTIMATED.labels(*own),
                _COST.labels(*own),
            )
            if model is not _OTHER:
                self._series[service.name, operation] = known
        return known

    def _of_end(self, service: Service, operation: Operation, outcome: Outcome, reason: str) -> tuple[Count, Spread]:
        known = self._ended.get((service.name, operation, outcome, reason))
        if known is None:
            provider, model = self._names(service)
            error = reason if outcome is Outcome.FAILED else "" if outcome is Outcome.SUCCEEDED else outcome.value
            known = (
                _ATTEMPTS.labels(provider, model, operation.value, outcome.value, reason),
                _DURATION.labels(_OPERATIONS.get(operation, operation.value), provider, model, error),
            )
            if model is not _OTHER:
                self._ended[service.name, operation, outcome, reason] = known
        return known

    def _counter(self, family: Counts, service: Service, reason: str) -> Count:
        known = self._counters.get((id(family), service.name, reason))
        if known is None:
            provider, model = self._names(service)
            known = family.labels(provider, model, reason)
            if model is not _OTHER:
                self._counters[id(family), service.name, reason] = known
        return known


def _draw(record: AttemptRecord) -> None:
    """Draws the span of an attempt that is over, below the span of the call."""
    opening, closing, service = record.opening, record.closing, record.service
    operation = _OPERATIONS.get(opening.operation, opening.operation.value)
    attributes: dict[str, str | int | bool | list[str]] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": service.provider.name,
        "gen_ai.request.model": service.model,
        "gen_ai.request.max_tokens": opening.reserved.output_tokens,
        "gen_ai.usage.input_tokens": closing.usage.input_tokens,
        "gen_ai.usage.output_tokens": closing.usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": closing.usage.cached_input_tokens,
        "gen_ai.usage.cache_creation.input_tokens": closing.usage.cache_write_input_tokens,
        "nexus.attempt.id": opening.attempt_id,
        "nexus.attempt.number": opening.number,
        "nexus.attempt.outcome": closing.outcome.value,
        "nexus.attempt.hedge": opening.hedge,
        "nexus.deployment": opening.deployment,
        "nexus.decision.id": opening.decision_id,
        "nexus.cost_micro_usd": closing.cost_micro_usd,
    }
    if opening.conversation_id:
        attributes["gen_ai.conversation.id"] = opening.conversation_id
    if record.finish_reason is not None:
        attributes["gen_ai.response.finish_reasons"] = [record.finish_reason.value]
    span = _tracer.start_span(
        f"{operation} {service.model}",
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        start_time=_nanoseconds(opening.time),
    )
    if closing.outcome is Outcome.FAILED:
        span.set_attribute("error.type", closing.reason)
        span.set_status(trace.StatusCode.ERROR, closing.reason)
    span.end(_nanoseconds(closing.time))


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000) * 1000
