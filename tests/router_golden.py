"""Golden decisions: whole worlds, requests and what the engine decided, in their canonical forms.

`PYTHONPATH=tests:. python tests/router_golden.py` writes those of a new formula. It writes none that is there already:
records were made by it, so an engine that decides otherwise needs another number (`domain.decisions.decision.FORMULA`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from router_strategies import ORG_POLICIES, PLATFORM_POLICIES, sample

from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.domain.decisions.decision import FORMULA, Decision
from provider_router.domain.decisions.decision_document import encode_decision
from provider_router.domain.decisions.stored_world import WorldPart, decode_parts, encode_part
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.rulebook.policy import FEATURES
from provider_router.domain.rulebook.rules_document import with_digest
from shared.errors import InvalidInput

DATA = Path(__file__).parent / "data" / "router"
_SEEDS = 3_000
_CASE_BYTES = 12_000


def golden_file(formula: int) -> Path:
    """Where the decisions of `formula` are kept."""
    return DATA / f"records_formula_{formula}.json"


def golden(formula: int) -> list[dict[str, str]]:
    """The decisions of `formula`: `record`, `registry`, `rules` and `state` of each."""
    return json.loads(golden_file(formula).read_bytes())


def new_engine() -> DecisionEngine:
    """An engine that remembers nothing."""
    return DecisionEngine(CedarPolicyEvaluator().verdicts)


def traits_of(decision: Decision) -> frozenset[str]:
    """What a decision is an example of."""
    request = decision.request
    return frozenset(
        {
            *(f"rejected {each.reason}" for each in decision.rejections),
            f"tier {decision.tier}",
            f"task {request.estimate.task_class}",
            f"ranked {min(3, len(decision.ranked))}",
            f"links {min(3, len(decision.control.chain))}",
            f"hedged {decision.control.hedge_after_ms > 0}",
        }
    )


def made() -> Iterator[tuple[dict[str, str], frozenset[str]]]:
    """Generated worlds that are small, and what is decided in them."""
    for seed in range(_SEEDS):
        world, request, now = sample(seed)
        world = _with_policies(world, seed)
        try:
            decision = new_engine().decide(world, request, now)
        except InvalidInput:
            continue
        parts = {part.value: encode_part(world, part).decode() for part in WorldPart}
        case = {"record": encode_decision(decision).decode(), **parts}
        if sum(map(len, case.values())) <= _CASE_BYTES:
            yield case, traits_of(decision)


def _with_policies(world: World, seed: int) -> World:
    """`world` with policies of both layers, every fourth time."""
    if seed % 4:
        return world
    platform, own = (texts[seed // 4 % len(texts)] for texts in (PLATFORM_POLICIES, ORG_POLICIES))
    rules = replace(world.rules, platform_policies=platform, org_policies=own, policy_reads=frozenset(FEATURES))
    return replace(world, rules=with_digest(rules))


def world_of(case: dict[str, str]) -> World:
    """The world of a golden decision."""
    return decode_parts({part: case[part.value].encode() for part in WorldPart})


def chosen() -> list[dict[str, str]]:
    """As few of them as show all that any of them shows."""
    seen: set[str] = set()
    cases: list[dict[str, str]] = []
    for case, traits in made():
        if not traits <= seen:
            seen |= traits
            cases.append(case)
    return cases


if __name__ == "__main__":
    file = golden_file(FORMULA)
    if file.exists():
        raise SystemExit(f"{file.name} is there: records were made by formula {FORMULA}. Count FORMULA up.")
    file.write_text(json.dumps(chosen(), indent=1) + "\n", encoding="utf-8")
