"""An engine that decides otherwise has another number: what was recorded must go on to prove itself."""

from __future__ import annotations

import re

import pytest
from router_golden import DATA, golden, golden_file, new_engine, traits_of, world_of

from provider_router.domain.decisions.decision import FORMULA, Rejected
from provider_router.domain.decisions.decision_document import decode_decision, encode_decision

FORMULAS = sorted(int(re.sub(r"\D", "", file.stem)) for file in DATA.glob("records_formula_*.json"))
CASES = [(formula, case) for formula in FORMULAS for case in golden(formula)]


def test_every_formula_has_its_golden_decisions() -> None:
    assert list(range(1, FORMULA + 1)) == FORMULAS, f"write {golden_file(FORMULA).name}; router_golden.py says how"


@pytest.mark.parametrize(("formula", "case"), CASES)
def test_what_was_decided_is_decided_again(formula: int, case: dict[str, str]) -> None:
    decision = decode_decision(case["record"].encode())
    assert decision.formula == formula
    again = new_engine().decide(world_of(case), decision.request, decision.time, formula)
    assert encode_decision(again).decode() == case["record"], (
        "the engine decides otherwise: count FORMULA up, keep what was for the formulas before, "
        "and write the golden decisions of the new one"
    )


def test_the_golden_decisions_show_most_of_what_there_is() -> None:
    seen = {trait for formula, case in CASES for trait in traits_of(decode_decision(case["record"].encode()))}
    missing = {reason for reason in Rejected if f"rejected {reason}" not in seen}
    assert not missing - {Rejected.OPERATION, Rejected.LANGUAGE}, missing
    assert {"ranked 0", "ranked 3", "links 1", "links 3", "hedged True", "hedged False"} <= seen
