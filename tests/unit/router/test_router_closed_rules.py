"""While the rules are not known nothing may be called, and whoever asks is told which file is wrong, and where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_decision_fakes import rules_of, world_of
from router_decisions import NOW
from router_fakes import service_of

from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.adapters.yaml_file.rules_reader import closed_rules
from provider_router.domain.decisions.no_route import no_route
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.rulebook.rules import RuleSet
from provider_router.domain.rulebook.rules_document import decode_rules, encode_rules

PROBLEM = "routing/platform.yaml line 3: policies: is no Cedar policy"


@pytest.mark.parametrize("rules", [closed_rules(PROBLEM), closed_rules(PROBLEM, "org-a", rules_of())])
@pytest.mark.parametrize("model", ["", "one/m"])
def test_nothing_may_be_called_and_the_error_names_the_file(rules: RuleSet, model: str) -> None:
    world = world_of(service_of("one/m"), service_of("two/m"), rules=rules)
    request = RouteRequest(Caller("org-a", "user-1"), model=model)
    decision = DecisionEngine(CedarPolicyEvaluator().verdicts).decide(world, request, NOW)
    assert not decision.choice
    error = no_route(decision, world, (), "d-1")
    assert (error.reason, error.metadata) == ("NO_ROUTE", {"decision_id": "d-1", "rules": PROBLEM})
    assert PROBLEM in error.message


def test_a_model_that_is_not_there_is_still_unknown() -> None:
    world = world_of(service_of("one/m"), rules=closed_rules(PROBLEM))
    request = RouteRequest(Caller("org-a", "user-1"), model="one/none")
    decision = DecisionEngine(CedarPolicyEvaluator().verdicts).decide(world, request, NOW)
    assert no_route(decision, world, (), "d-1").reason == "MODEL_UNKNOWN"


def test_what_is_wrong_is_no_part_of_the_record() -> None:
    rules = closed_rules(PROBLEM)
    other = closed_rules("another problem")
    assert rules.digest == other.digest
    assert encode_rules(rules) == encode_rules(replace(rules, closed_by=""))
    assert decode_rules(encode_rules(rules)).closed_by == ""
