"""Visits over HTTP in traces."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from router_gateway import CHAT, HELLO, gateway

from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http import gateway as served

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_a_visit_is_a_span_of_its_callers_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(served, "_tracer", provider.get_tracer("test"))
    async with gateway(traced=True) as gate:
        await gate.ask(headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
        gate.answers.steps = (failure(Reason.NO_ROUTE, "Hi is secret."),)
        await gate.ask()
        gate.answers.steps = (*HELLO[:2], failure(Reason.STREAM_BROKEN, "It broke off."))
        await gate.ask(stream=True)
    good, refused, broken = exporter.get_finished_spans()
    assert (good.name, good.attributes) == (f"POST {CHAT}", {"http.response.status_code": 200})
    assert (format(good.context.trace_id, "032x"), good.status.is_ok) == (TRACE, True)
    assert (refused.status.description, refused.attributes) == ("NO_ROUTE", {"http.response.status_code": 400})
    assert (broken.status.description, broken.attributes) == ("STREAM_BROKEN", {"http.response.status_code": 200})
    assert not any(span.events for span in (good, refused, broken))
