"""What attempts look like in metrics and traces."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from router_fakes import service_of
from router_money_fakes import NOON, closing, opening

from provider_router.adapters import attempt_observer_otel as otel
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.money.attempt import Outcome
from provider_router.ports.attempt_observer import AttemptRecord
from shared.telemetry.tracing import unrecorded


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def gen_ai(model: str, operation: str = "chat") -> dict[str, str]:
    return {
        "gen_ai_operation_name": operation,
        "gen_ai_provider_name": "watched",
        "gen_ai_request_model": model,
    }


def record(model: str, **changes: object) -> AttemptRecord:
    service = service_of(f"watched/{model}")
    ended = closing(time=NOON + timedelta(seconds=2), duration_ms=2000, first_token_ms=400, **changes)
    return AttemptRecord(service, opening(service=service.name), ended, FinishReason.STOP)


def test_a_good_attempt_is_counted_timed_and_priced() -> None:
    observer = otel.OtelAttemptObserver()
    observer.ended(record("good", usage=TokenUsage(100, 17), cost_micro_usd=2_000_000))
    names = gen_ai("good")
    assert sample("gen_ai_client_token_usage_sum", gen_ai_token_type="input", **names) == 100
    assert sample("gen_ai_client_token_usage_sum", gen_ai_token_type="output", **names) == 17
    assert sample("gen_ai_server_request_duration_seconds_sum", error_type="", **names) == 2.0
    assert sample("gen_ai_server_time_to_first_token_seconds_sum", **names) == 0.4
    assert sample("gen_ai_server_time_per_output_token_seconds_sum", **names) == pytest.approx(0.1)
    own = {"provider": "watched", "model": "good", "operation": "chat"}
    assert sample("nexus_router_attempts_total", outcome="succeeded", reason="", **own) == 1
    assert sample("nexus_router_cost_usd_total", **own) == 2.0


def test_a_failed_attempt_counts_by_its_reason_and_says_nothing_of_speed() -> None:
    observer = otel.OtelAttemptObserver()
    failed = record("bad", outcome=Outcome.FAILED, reason="PROVIDER_ERROR", usage=TokenUsage(), cost_micro_usd=0)
    observer.ended(failed)
    observer.ended(failed)
    names = gen_ai("bad")
    assert sample("gen_ai_server_request_duration_seconds_count", error_type="PROVIDER_ERROR", **names) == 2
    assert sample("gen_ai_server_time_to_first_token_seconds_count", **names) == 0
    assert sample("gen_ai_client_token_usage_count", gen_ai_token_type="input", **names) == 0
    own = {"provider": "watched", "model": "bad", "operation": "chat"}
    assert sample("nexus_router_attempts_total", outcome="failed", reason="PROVIDER_ERROR", **own) == 2


def test_counts_of_the_router_itself_are_told_apart() -> None:
    observer = otel.OtelAttemptObserver()
    observer.ended(record("counted", estimated=True))
    own = {"provider": "watched", "model": "counted"}
    assert sample("nexus_router_usage_estimated_total", operation="chat", **own) == 1


def test_embeddings_have_no_output() -> None:
    observer = otel.OtelAttemptObserver()
    embedded = record("vectors", usage=TokenUsage(9))
    observer.ended(replace(embedded, opening=replace(embedded.opening, operation=Operation.EMBED)))
    names = gen_ai("vectors", "embeddings")
    assert sample("gen_ai_client_token_usage_sum", gen_ai_token_type="input", **names) == 9
    assert sample("gen_ai_client_token_usage_count", gen_ai_token_type="output", **names) == 0


def test_what_was_passed_over_left_and_decided_is_counted() -> None:
    observer = otel.OtelAttemptObserver()
    service = service_of("watched/left")
    observer.passed_over(service, "CIRCUIT_OPEN")
    observer.fell_back(service, "PROVIDER_ERROR")
    before = sample("nexus_router_decisions_total", reason="NO_ROUTE")
    observer.decided("NO_ROUTE")
    overheads = sample("nexus_router_overhead_seconds_count")
    observer.began(0.002)
    own = {"provider": "watched", "model": "left"}
    assert sample("nexus_router_passed_over_total", reason="CIRCUIT_OPEN", **own) == 1
    assert sample("nexus_router_fallbacks_total", reason="PROVIDER_ERROR", **own) == 1
    assert sample("nexus_router_decisions_total", reason="NO_ROUTE") == before + 1
    assert sample("nexus_router_overhead_seconds_count") == overheads + 1


def test_models_that_callers_register_do_not_make_labels_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "_SERVICES_CAP", 2)
    observer = otel.OtelAttemptObserver()
    for index in range(5):
        observer.ended(record(f"many-{index}"))
    own = {"provider": "watched", "operation": "chat", "outcome": "succeeded", "reason": ""}
    assert sample("nexus_router_attempts_total", model="many-1", **own) == 1
    assert sample("nexus_router_attempts_total", model="many-4", **own) == 0
    assert sample("nexus_router_attempts_total", model="_other", **own) == 3


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(otel, "_tracer", provider.get_tracer("test"))
    return exporter


def drawn(spans: InMemorySpanExporter, attempt: AttemptRecord) -> ReadableSpan:
    """What is drawn of `attempt`, below the span of a request that is recorded."""
    with TracerProvider().get_tracer("test").start_as_current_span("request") as request:
        otel.OtelAttemptObserver().ended(attempt)
    (span,) = spans.get_finished_spans()
    assert span.parent == request.get_span_context()
    return span


def test_an_attempt_is_a_span_by_the_conventions(spans: InMemorySpanExporter) -> None:
    span = drawn(spans, record("m", usage=TokenUsage(100, 17, 40)))
    assert (span.name, span.kind.name) == ("chat m", "CLIENT")
    assert (span.end_time - span.start_time) == 2_000_000_000
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "watched",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 17,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.response.finish_reasons": ("stop",),
        "nexus.attempt.outcome": "succeeded",
        "nexus.decision.id": "d1",
    }
    assert {name: span.attributes[name] for name in wanted} == wanted
    assert "error.type" not in span.attributes


def test_a_failed_attempt_is_a_span_with_its_error(spans: InMemorySpanExporter) -> None:
    failed = record("m", outcome=Outcome.FAILED, reason="PROVIDER_TIMEOUT")
    span = drawn(spans, replace(failed, finish_reason=None))
    assert span.attributes["error.type"] == "PROVIDER_TIMEOUT"
    assert span.status.status_code.name == "ERROR"


def test_no_span_is_drawn_where_the_request_is_not_recorded(spans: InMemorySpanExporter) -> None:
    otel.OtelAttemptObserver().ended(record("m"))
    with trace.use_span(unrecorded({})):
        otel.OtelAttemptObserver().ended(record("m"))
    assert spans.get_finished_spans() == ()
