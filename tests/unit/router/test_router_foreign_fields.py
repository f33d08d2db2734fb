"""What is told of fields that only providers of the caller's dialect know."""

from __future__ import annotations

from datetime import UTC, datetime

from router_decision_fakes import rules_of
from router_fakes import service_of, snapshot_of

from provider_router.domain.decisions.decision import Control, Decision, Promise, Rejected, Rejection, Step
from provider_router.domain.decisions.no_route import no_route
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.errors import Reason

SNAPSHOT = snapshot_of(service_of("one/m"), service_of("two/m"))
ABSENT = Rejection("one/m", Step.TRAITS, Rejected.TRAIT, "dialect is anthropic_messages")


def refusal(*rejections: Rejection, foreign: tuple[str, ...]):
    now = datetime(2026, 11, 20, tzinfo=UTC)
    request = RouteRequest(Caller("org", "user"))
    decision = Decision(now, request, "", "", "", "", rejections, (), "", Promise(), Control())
    return no_route(decision, World(SNAPSHOT, rules_of(), system_state({})), (), "decision-1", foreign)


def test_a_refusal_names_the_fields_and_what_to_do() -> None:
    error = refusal(ABSENT, foreign=("min_p", "grammar"))
    assert error.reason == Reason.UNSUPPORTED_CAPABILITY
    assert "min_p, grammar" in error.message
    assert "x-nexus-drop-unsupported" in error.message
    assert "one/m" in error.message


def test_fields_are_not_blamed_where_a_model_fell_for_something_else() -> None:
    other = Rejection("two/m", Step.SECURITY, Rejected.CLEARANCE, "cleared for public")
    assert refusal(ABSENT, other, foreign=("min_p",)).reason == Reason.NO_ROUTE
