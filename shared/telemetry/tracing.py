"""Traces: OpenTelemetry spans, exported by OTLP where a collector is configured."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBasedTraceIdRatio


def configure_tracing(service: str, otlp_endpoint: str, ratio: float) -> Callable[[], None]:
    """Give the process a tracer whose spans have ids, and export some of them when `otlp_endpoint` is set.

    Args:
        service: its name.
        otlp_endpoint: of the collector; empty for none.
        ratio: share of the traces that begin here and are recorded, 0 to 1. Whoever calls decides for its own traces.

    Returns:
        A function that flushes and stops the exporter; call it once, at the end of the process.
    """
    # Spans that go nowhere have ids and are not recorded, which costs less.
    sampler = ParentBasedTraceIdRatio(ratio) if otlp_endpoint else ALWAYS_OFF
    provider = TracerProvider(sampler, Resource({"service.name": service, "service.namespace": "nexus"}))
    if otlp_endpoint:
        # Imported here because it costs a quarter of a second that a mesh without a collector need not pay.
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
    trace.set_tracer_provider(provider)
    return provider.shutdown
