"""Traces: OpenTelemetry spans, exported by OTLP where a collector is configured."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON

_FLAGS_AT = 53
_SAMPLED = 1
_IDS = RandomIdGenerator()


class Sampling:
    """Says which requests are recorded, so that all others draw no spans: a span costs more than most of a request.

    Args:
        otlp_endpoint: of the collector; empty for none, then nothing is recorded.
        ratio: share of the traces that begin here and are recorded, 0 to 1. Whoever calls decides for its own traces.
    """

    __slots__ = ("_is_collected", "_ratio")

    def __init__(self, otlp_endpoint: str = "", ratio: float = 1.0) -> None:
        self._is_collected = bool(otlp_endpoint)
        self._ratio = ratio

    def records(self, traceparent: str | None) -> bool:
        """Whether to record a request that came with `traceparent`; ask once for each."""
        if not self._is_collected:
            return False
        if traceparent:
            try:
                return bool(int(traceparent[_FLAGS_AT : _FLAGS_AT + 2], 16) & _SAMPLED)
            except ValueError:
                # It is none, and whatever reads it will say so too: the trace begins here.
                pass
        return random.random() < self._ratio  # noqa: S311 - nobody gains by a guess


def unrecorded(headers: Mapping[str, str]) -> trace.Span:
    """Return a span that goes nowhere: all it has is the id of its trace, under which logs have the request."""
    if "traceparent" in headers:
        span = trace.get_current_span(extract(headers))
        if span.get_span_context().is_valid:
            return span
    context = trace.SpanContext(_IDS.generate_trace_id(), _IDS.generate_span_id(), is_remote=False)
    return trace.NonRecordingSpan(context)


def configure_tracing(service: str, otlp_endpoint: str) -> Callable[[], None]:
    """Give the process a tracer whose spans have ids, and export them when `otlp_endpoint` is set.

    Args:
        service: its name.
        otlp_endpoint: of the collector; empty for none.

    Returns:
        A function that flushes and stops the exporter; call it once, at the end of the process.
    """
    # Spans that go nowhere have ids and are not recorded, which costs less. Which of the others are begun is for
    # `Sampling` to say.
    sampler = DEFAULT_ON if otlp_endpoint else ALWAYS_OFF
    provider = TracerProvider(sampler, Resource({"service.name": service, "service.namespace": "nexus"}))
    if otlp_endpoint:
        # Imported here because it costs a quarter of a second that a mesh without a collector need not pay.
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
    trace.set_tracer_provider(provider)
    return provider.shutdown
