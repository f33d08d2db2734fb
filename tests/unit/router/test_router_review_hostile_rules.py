"""No text of rules ends the router: anybody who may replay may send one."""

from __future__ import annotations

from datetime import date

import pytest
from router_fakes import service_of, snapshot_of

from provider_router.adapters.cedar.policy import Layer, policies_in
from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.adapters.rules_parser_yaml import YamlRulesParser
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.rulebook.policy import question_of
from shared.cedar.written_policy import WrongPolicyError
from shared.errors import InvalidInput

DEEP = 100_000


def policy(condition: str) -> str:
    return f'@id("x") forbid(principal, action, resource) when {{ {condition} }};'


@pytest.mark.parametrize(
    "condition",
    [
        f"{'(' * DEEP}true{')' * DEEP}",
        f"{'[' * DEEP}1{']' * DEEP} == [1]",
        f"{'{a:' * DEEP}1{'}' * DEEP} == 1",
        f"{'!(' * DEEP}true{')' * DEEP}",
        "true && " * DEEP + "true",
        "1+" * DEEP + "1 == 1",
        "if true then true else " * DEEP + "true",
        f"context{'.a' * DEEP}",
        "(" * 65 + "true" + ")" * 65,
        "1+" * 4_000 + "1 == 1",
        "true||" * 2_000 + "true",
        f"context{'.a' * 6_000}",
    ],
    ids=range(12),
)
def test_a_policy_that_is_too_deep_is_refused_before_it_is_parsed(condition: str) -> None:
    with pytest.raises(WrongPolicyError):
        policies_in(policy(condition), Layer.PLATFORM)
    with pytest.raises(InvalidInput):
        YamlRulesParser().parse(f"version: 1\npolicies: |\n  {policy(condition)}\n")


def test_brackets_in_texts_and_comments_are_no_nesting() -> None:
    text = policy(f'context.tier == "{"(" * 200}" // {"(" * 200}\n')
    assert [each.id for each in policies_in(text, Layer.PLATFORM)] == ["x"]


def test_long_lists_stay_possible() -> None:
    names = ", ".join(f'"model-{number}"' for number in range(500))
    assert policies_in(policy(f"[{names}].contains(resource.model)"), Layer.PLATFORM)
    assert policies_in(policy(" || ".join(f'resource.model == "m{n}"' for n in range(50))), Layer.PLATFORM)


@pytest.mark.parametrize("count", [20, 55, 58, 60, 62, 100, 300])
def test_what_is_accepted_can_be_asked(count: int) -> None:
    text = policy(" || ".join(f'resource.model == "m{number}"' for number in range(count)))
    try:
        rules = YamlRulesParser().parse(f"version: 1\npolicies: |\n  {text}\n")
    except InvalidInput:
        return
    registry = snapshot_of(service_of("one/m1"), service_of("one/x"))
    question = question_of(RouteRequest(Caller("acme", "ada")), "fast", date(2026, 11, 20), rules.policy_reads)
    assert set(CedarPolicyEvaluator().verdicts(registry, rules, question)) == {"one/m1"}
