"""What every `AttemptObserver` bears: any attempt there can be, any number of times, without a word."""

from __future__ import annotations

from collections.abc import Generator
from itertools import product

import pytest
from opentelemetry.sdk.trace import TracerProvider
from router_answer_rig import FakeObserver
from router_fakes import service_of
from router_money_fakes import closing, opening

from provider_router.adapters.attempt_observer_otel import OtelAttemptObserver
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.errors import Reason
from provider_router.domain.money.attempt import Outcome
from provider_router.ports.attempt_observer import AttemptObserver, AttemptRecord

SERVICE = service_of("observed/m")
OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.OPEN]


@pytest.fixture(params=["fake", "otel", "otel recorded"])
def observer(request: pytest.FixtureRequest) -> Generator[AttemptObserver]:
    if request.param != "otel recorded":
        yield FakeObserver() if request.param == "fake" else OtelAttemptObserver()
        return
    with TracerProvider().get_tracer("test").start_as_current_span("request"):
        yield OtelAttemptObserver()


@pytest.mark.parametrize(("outcome", "operation"), list(product(OUTCOMES, Operation)))
def test_any_attempt_can_be_told(observer: AttemptObserver, outcome: Outcome, operation: Operation) -> None:
    opened = opening(service=SERVICE.name, operation=operation, conversation_id="c")
    for first_token_ms, usage, finish in product(
        (None, 0, 70), (TokenUsage(), TokenUsage(1, 1), TokenUsage(9, 9, 1, 1, 1)), (None, FinishReason.STOP)
    ):
        ended = closing(outcome=outcome, first_token_ms=first_token_ms, duration_ms=70, usage=usage)
        observer.ended(AttemptRecord(SERVICE, opened, ended, finish))


@pytest.mark.parametrize("reason", [*Reason, "SOMETHING_ELSE"])
def test_any_reason_can_be_told(observer: AttemptObserver, reason: str) -> None:
    observer.passed_over(SERVICE, reason)
    observer.fell_back(SERVICE, reason)
    observer.decided(reason)
    observer.ended(
        AttemptRecord(SERVICE, opening(service=SERVICE.name), closing(outcome=Outcome.FAILED, reason=str(reason)))
    )


def test_any_overhead_can_be_told(observer: AttemptObserver) -> None:
    for overhead_s in (0.0, 1e-9, 3600.0):
        observer.began(overhead_s)
