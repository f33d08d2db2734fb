"""Visits over HTTP in traces."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from router_gateway import CHAT, HELLO, gateway

from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http import gateway as served
from shared.telemetry.tracing import Sampling

TRACE = "0af7651916cd43dd8448eb211c80319c"


def _parent(*, is_recorded: bool) -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-b7ad6b7169203331-0{int(is_recorded)}"}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(served, "_tracer", provider.get_tracer("test"))
    return exporter


async def test_a_visit_is_a_span_of_its_callers_trace(spans: InMemorySpanExporter) -> None:
    async with gateway(sampling=Sampling("http://collector")) as gate:
        await gate.ask(headers=_parent(is_recorded=True))
        gate.answers.steps = (failure(Reason.NO_ROUTE, "Hi is secret."),)
        await gate.ask()
        gate.answers.steps = (*HELLO[:2], failure(Reason.STREAM_BROKEN, "It broke off."))
        await gate.ask(stream=True)
    good, refused, broken = spans.get_finished_spans()
    assert (good.name, good.attributes) == (f"POST {CHAT}", {"http.response.status_code": 200})
    assert (format(good.context.trace_id, "032x"), good.status.is_ok) == (TRACE, True)
    assert (refused.status.description, refused.attributes) == ("NO_ROUTE", {"http.response.status_code": 400})
    assert (broken.status.description, broken.attributes) == ("STREAM_BROKEN", {"http.response.status_code": 200})
    assert not any(span.events for span in (good, refused, broken))


@pytest.mark.parametrize(
    ("sampling", "headers", "recorded"),
    [
        (Sampling("http://collector", 1.0), {}, 1),
        (Sampling("http://collector", 0.0), {}, 0),
        (Sampling("http://collector", 1.0), _parent(is_recorded=False), 0),
        (Sampling("http://collector", 0.0), _parent(is_recorded=True), 1),
        (Sampling("http://collector", 1.0), {"traceparent": "none"}, 1),
        (Sampling("", 1.0), _parent(is_recorded=True), 0),
    ],
)
async def test_who_calls_says_whether_a_visit_is_recorded_else_the_share_does(
    spans: InMemorySpanExporter, sampling: Sampling, headers: dict[str, str], recorded: int
) -> None:
    async with gateway(sampling=sampling) as gate:
        assert (await gate.ask(headers=headers)).status_code == 200
    assert len(spans.get_finished_spans()) == recorded
