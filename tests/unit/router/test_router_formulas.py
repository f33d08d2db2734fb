"""Decisions are verified by the formula that they were made by: what was recorded before a change goes on to hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from router_verifier import problems_of

from provider_router.domain.contracts.contract_document import decode_registry
from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.decisions.decision import FORMULA
from provider_router.domain.decisions.decision_document import decode_decision, encode_decision
from provider_router.domain.decisions.state_document import decode_state
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.rulebook.rules_document import decode_rules

# Written by the router that knew the first formula alone; in both a model whose price is unknown was within a budget.
OLD = json.loads((Path(__file__).parents[2] / "data" / "router" / "records_formula_1.json").read_bytes())
PARTS = ("record", "registry", "rules", "state")


@pytest.mark.parametrize("stored", OLD)
def test_old_records_hold_by_their_own_formula_and_not_by_the_newest(stored: dict[str, str]) -> None:
    record, registry, rules, state = (stored[part].encode() for part in PARTS)
    decision = decode_decision(record)
    assert decision.formula == 1
    assert encode_decision(decision) == record
    world = World(decode_registry(registry), decode_rules(rules), decode_state(state))
    again = DecisionEngine().decide(world, decision.request, decision.time, decision.formula)
    assert encode_decision(again) == record
    assert problems_of(record, registry, rules, state) == []
    now = DecisionEngine().decide(world, decision.request, decision.time)
    assert (now.formula, now.choice != decision.choice) == (FORMULA, True)
    assert problems_of(encode_decision(now), registry, rules, state) == []


def test_one_engine_decides_by_both() -> None:
    record, registry, rules, state = (OLD[0][part].encode() for part in PARTS)
    decision, engine = decode_decision(record), DecisionEngine()
    world = World(decode_registry(registry), decode_rules(rules), decode_state(state))
    for formula in (FORMULA, 1, FORMULA, 1):
        made = engine.decide(world, decision.request, decision.time, formula)
        assert (made == decision) is (formula == 1)


def test_a_formula_that_nobody_knows_is_not_guessed() -> None:
    record = OLD[0]["record"].replace('"version":1', '"version":9').encode()
    with pytest.raises(NotCanonical, match="formula 9"):
        decode_decision(record)
