"""R-6: engine and independent verifier agree, and the verifier notices every change of what was decided."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from router_strategies import moments, requests, sample, worlds
from router_verifier import problems_of

from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.domain.contracts.contract_document import encode_registry
from provider_router.domain.decisions.canonical_json import canonical_bytes
from provider_router.domain.decisions.decision import FORMULA
from provider_router.domain.decisions.decision_document import encode_decision
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.state_document import encode_state
from provider_router.domain.decisions.world import World
from provider_router.domain.engine import beliefs, control, score
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.rulebook.rules_document import encode_rules

DECIDED = ("tier", "rejections", "ranked", "choice", "promise", "control")
EXPENSIVE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def recorded(world: World, request: RouteRequest, now: datetime, formula: int = FORMULA) -> bytes:
    return encode_decision(DecisionEngine(CedarPolicyEvaluator().verdicts).decide(world, request, now, formula))


def problems(world: World, record: bytes) -> list[str]:
    registry = encode_registry(service.contract for service in world.registry.services.values())
    return problems_of(record, registry, encode_rules(world.rules), encode_state(world.state.services))


@given(worlds(), requests, moments)
@settings(max_examples=400, suppress_health_check=EXPENSIVE)
def test_engine_and_verifier_agree(world: World, request: RouteRequest, now: datetime) -> None:
    assert problems(world, recorded(world, request, now)) == []


@given(worlds(), requests, moments)
@settings(max_examples=100, suppress_health_check=EXPENSIVE)
def test_they_agree_on_decisions_by_the_formula_before(world: World, request: RouteRequest, now: datetime) -> None:
    asked = replace(request, parameters=frozenset())  # there were none
    assert problems(world, recorded(world, asked, now, 1)) == []


def leaves(value: Any, path: tuple = ()) -> list[tuple]:
    if isinstance(value, dict):
        return [leaf for key, each in value.items() for leaf in leaves(each, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for index, each in enumerate(value) for leaf in leaves(each, (*path, index))]
    return [path]


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return 7 if value is None else ["eu"]


@given(worlds(), requests, moments, st.data())
@settings(max_examples=150, suppress_health_check=EXPENSIVE)
def test_the_verifier_notices_any_change_of_what_was_decided(
    world: World, request: RouteRequest, now: datetime, data: st.DataObject
) -> None:
    record = json.loads(recorded(world, request, now))
    path = data.draw(st.sampled_from([leaf for key in DECIDED for leaf in leaves(record[key], (key,))]))
    place = record
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = changed(place[path[-1]])
    assert problems(world, canonical_bytes(record)) != []


@given(worlds(policies=False), requests, moments)
@settings(max_examples=60, suppress_health_check=EXPENSIVE)
def test_the_verifier_notices_a_swap_of_two_candidates_and_another_world(
    world: World, request: RouteRequest, now: datetime
) -> None:
    record = json.loads(recorded(world, request, now))
    assume(len(record["ranked"]) > 1)
    for key in ("registry_digest", "rules_digest", "state_digest"):
        assert problems(world, canonical_bytes({**record, key: "0" * 64})) == [key]
    first, second, *others = record["ranked"]
    assert "ranked" in problems(world, canonical_bytes({**record, "ranked": [second, first, *others]}))


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (score, "SHORTFALL_FACTOR", 2),
        (score, "ORDER_STEP", 10**12 + 1),
        (beliefs, "PRIOR_OUTCOMES", 19),
        (beliefs, "PRIOR_CALLS", 21),
        (beliefs, "EXPLORATION_PPM", 50_001),
        (beliefs, "FAILURE_FACTOR", 5),
        (control, "PATIENCE", 3),
        (control, "BACKOFF_BASE_MS", 201),
    ],
)
def test_a_wrong_constant_in_the_engine_is_noticed(module, name, wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, wrong)
    assert any(problems(world, recorded(world, request, now)) for world, request, now in map(sample, range(300)))
