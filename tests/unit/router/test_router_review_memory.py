"""What callers write into their requests does not pile up in the router."""

from __future__ import annotations

from datetime import UTC, datetime

from router_decision_fakes import FakeRuleBook
from router_fakes import service_of, snapshot_of

from provider_router.domain.decisions.route_request import Caller, Comparison, RouteRequest, TraitConstraint
from provider_router.domain.decisions.service_state import SystemState
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_long_traits_are_not_remembered_by_the_thousand() -> None:
    engine = DecisionEngine(capacity=1_000)
    world = World(snapshot_of(service_of("one/m")), FakeRuleBook().of("acme"), SystemState({}, ""))
    for number in range(50):
        values = tuple(f"{number}-{index}".ljust(256, "x") for index in range(64))
        traits = tuple(TraitConstraint(f"t{index}", Comparison.IN, values) for index in range(32))
        engine.decide(world, RouteRequest(Caller("acme", "ada"), traits=traits), NOON)
    # About 600 KB each, and a unit of the capacity is about 1 KB.
    assert len(engine._shortlists._kept) <= 2


def test_states_that_were_replaced_are_forgotten() -> None:
    engine = DecisionEngine()
    registry, rules = snapshot_of(service_of("one/m")), FakeRuleBook().of("acme")
    for _ in range(1_000):
        world = World(registry, rules, SystemState({}, ""))
        engine.decide(world, RouteRequest(Caller("acme", "ada")), NOON)
        kept = engine._lineups._kept
        assert len(kept) <= 128
        assert any(lineup.state is world.state for lineup, _ in kept.values())
    assert engine._lineups.weight == sum(weight for _, weight in kept.values())
