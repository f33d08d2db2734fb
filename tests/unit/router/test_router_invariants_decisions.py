"""R-1 to R-4, R-7 and the invariants of security, over generated worlds and requests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from router_strategies import NAMES, ORG, contract, moments, registry_of, requests, sample, worlds

from provider_router.adapters.policy_evaluator_cedar import CedarPolicyEvaluator
from provider_router.domain.contracts.contract import Contract, Rates
from provider_router.domain.contracts.contract_document import decode_registry, encode_registry
from provider_router.domain.decisions.decision import TERMS, Decision, Rejected, Step
from provider_router.domain.decisions.decision_document import encode_decision
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.decisions.state_document import decode_state, encode_state, system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.engine.score import ORDER_STEP, OUTAGE_STEP, WEAK_STEP
from provider_router.domain.rulebook.rules_document import decode_rules, encode_rules
from shared.circuit_breaker import Breaker

EVALUATOR = CedarPolicyEvaluator()
WARM = DecisionEngine(EVALUATOR.verdicts)
"""Remembers every case of this file: what it says must be what a fresh engine says."""


def decide(world: World, request: RouteRequest, now: datetime) -> Decision:
    return DecisionEngine(EVALUATOR.verdicts).decide(world, request, now)


def visible(world: World) -> dict[str, Contract]:
    contracts = {name: service.contract for name, service in world.registry.services.items()}
    return {name: each for name, each in contracts.items() if each.org_id in ("", ORG)}


def test_many_decisions_are_the_same_with_and_without_a_memory() -> None:
    crowded = DecisionEngine(capacity=40)
    for seed in range(800):
        world, request, now = sample(seed)
        again = replace(request, input_tokens=request.input_tokens + 1)
        expected = [DecisionEngine().decide(world, each, now) for each in (request, again)]
        for engine in (WARM, crowded, WARM):
            assert [engine.decide(world, each, now) for each in (request, again)] == expected


@given(worlds(), st.lists(requests, min_size=2, max_size=6), moments)
@settings(max_examples=60)
def test_r1_the_order_of_requests_and_what_is_remembered_change_nothing(world, asked, now) -> None:
    expected = [decide(world, request, now) for request in asked]
    assert [WARM.decide(world, request, now) for request in asked] == expected
    assert [WARM.decide(world, request, now) for request in reversed(asked)] == expected[::-1]


@given(worlds(), requests, moments)
@settings(max_examples=80)
def test_r1_a_replayed_world_gives_the_same_bytes(world: World, request: RouteRequest, now: datetime) -> None:
    replayed = World(
        decode_registry(encode_registry(each.contract for each in world.registry.services.values())),
        decode_rules(encode_rules(world.rules)),
        decode_state(encode_state(world.state.services)),
    )
    assert encode_decision(decide(replayed, request, now)) == encode_decision(decide(world, request, now))


@given(worlds(policies=False), requests, moments)
@settings(max_examples=40)
def test_r1_the_time_zone_of_the_clock_changes_nothing(world: World, request: RouteRequest, now: datetime) -> None:
    elsewhere = now.astimezone(timezone(timedelta(hours=9)))
    assert decide(world, request, elsewhere) == decide(world, request, now)
    assert decide(world, request, elsewhere).time.tzinfo is UTC


def broken_constraints(contract: Contract, request: RouteRequest, world: World, now: datetime) -> list[str]:
    """The hard constraints that do not hold, as a caller would put them."""
    can, privacy = contract.capabilities, contract.privacy
    price = contract.price_on(now.date())
    known = price is not None or privacy.on_premises
    holds = {
        "model": request.model in ("", contract.name) and request.provider in ("", contract.provider),
        "operation": request.operation in can.operations,
        "modalities": request.input_modalities <= can.input_modalities
        and request.output_modalities <= can.output_modalities,
        "tools": can.tool_calling or not request.needs_tools,
        "schema": can.json_schema or not request.needs_json_schema,
        "context": not can.context_length or request.input_tokens < can.context_length,
        "limit": request.max_cost_micro_usd is None or known,
        "chain": not request.chain or contract.name in request.chain,
        "key": world.state.of(contract.name).configured,
        "clearance": request.data_class <= privacy.clearance,
        "residency": not request.residency or (bool(privacy.regions) and privacy.regions <= request.residency),
        "tenant": contract.org_id in ("", request.caller.org_id),
        "traits": all(each.trait in contract.traits for each in request.traits),
    }
    return [name for name, fine in holds.items() if not fine]


@given(worlds(), requests, moments)
@settings(max_examples=150)
def test_r2_candidates_satisfy_every_hard_constraint(world: World, request: RouteRequest, now: datetime) -> None:
    decision = decide(world, request, now)
    contracts = visible(world)
    for candidate in decision.ranked:
        assert broken_constraints(contracts[candidate.service], request, world, now) == []
        if request.max_cost_micro_usd is not None:
            assert candidate.expected_cost_micro_usd <= request.max_cost_micro_usd
        # What nobody knows the price of is held by no limit of money, so that none lets it in.
        if request.budget_left_micro_usd is not None:
            assert candidate.expected_cost_micro_usd is not None
        assert not any(contracts[candidate.service].traits.get(each) is False for each in request.parameters)
    assert {link.service for link in decision.control.chain} <= {each.service for each in decision.ranked}


@given(worlds(), requests, moments)
@settings(max_examples=150)
def test_r3_every_service_is_accounted_for_and_a_candidate_is_chosen(world, request, now) -> None:
    decision = decide(world, request, now)
    ranked, rejected = ([each.service for each in some] for some in (decision.ranked, decision.rejections))
    assert sorted([*ranked, *rejected]) == sorted(visible(world))
    assert rejected == sorted(rejected)
    assert bool(decision.choice) is bool(ranked)
    assert bool(decision.control.chain) is bool(ranked)
    assert all(each.step in (Step.MATCH, Step.RULES, Step.SECURITY, Step.TRAITS) for each in decision.rejections)


@given(worlds(policies=False), requests, moments)
@settings(max_examples=100)
def test_r3_no_illness_takes_a_candidate_away(world: World, request: RouteRequest, now: datetime) -> None:
    request = replace(request, deadline_ms=None)
    down = ServiceState(breaker=Breaker.OPEN, cooling=True, load_ppm=10**7, broken_promises=("a", "b"))
    ill = {name: down for name in NAMES if world.state.of(name).configured}
    ill |= {name: world.state.of(name) for name in NAMES if name not in ill}
    before = decide(world, request, now)
    after = decide(replace(world, state=system_state(ill)), request, now)
    assert sorted(each.service for each in after.ranked) == sorted(each.service for each in before.ranked)
    assert after.rejections == before.rejections


@given(worlds(), requests, moments)
@settings(max_examples=100)
def test_r4_no_candidate_scores_higher_than_the_choice(world: World, request: RouteRequest, now: datetime) -> None:
    decision = decide(world, request, now)
    order = [(-each.score, each.service) for each in decision.ranked]
    assert order == sorted(order)
    assert decision.choice == (decision.ranked[0].service if decision.ranked else "")
    for each in decision.ranked:
        assert each.score == sum(each.terms)
        assert len(each.terms) == len(TERMS)
        assert abs(each.score) < 2**53


@given(worlds(policies=False), requests, moments)
@settings(max_examples=100)
def test_r4_steps_stand_above_all_weighted_values(world: World, request: RouteRequest, now: datetime) -> None:
    for each in decide(world, request, now).ranked:
        terms = dict(zip(TERMS, each.terms, strict=True))
        steps = terms["order"] + -WEAK_STEP * (terms["quality"] < 0) + -OUTAGE_STEP * (terms["risk"] <= -OUTAGE_STEP)
        # Half the smallest step on either side: then what is above a step is above it for every candidate.
        assert abs(each.score - steps) <= WEAK_STEP // 2
        assert terms["order"] % ORDER_STEP == 0


@given(worlds(policies=False), requests, moments)
@settings(max_examples=80)
def test_r4_a_score_does_not_depend_on_the_other_candidates(world, request, now) -> None:
    decision = decide(world, request, now)
    assume(len(decision.ranked) > 1)
    gone = decision.choice
    rest = [each.contract for name, each in world.registry.services.items() if name != gone]
    without = decide(replace(world, registry=registry_of(rest)), request, now)
    assert without.ranked == decision.ranked[1:]


@given(worlds(policies=False), requests, moments)
@settings(max_examples=80)
def test_what_can_be_called_comes_first_then_the_operators_order(world, request, now) -> None:
    decision = decide(world, request, now)

    def is_out(name: str) -> bool:
        state = world.state.of(name)
        return state.breaker is Breaker.OPEN or state.cooling or state.load_ppm >= 1_000_000

    outs = [is_out(each.service) for each in decision.ranked]
    assert outs == sorted(outs)
    for health in (False, True):
        chained = [each.service for each in decision.ranked if is_out(each.service) is health and request.chain]
        assert chained == sorted(chained, key=request.chain.index)


@given(worlds(), requests, moments)
@settings(max_examples=60)
def test_r7_what_happens_to_the_registry_later_changes_no_decision(world, request, now) -> None:
    before = WARM.decide(world, request, now)
    assume(before.choice)
    others = [each.contract for name, each in world.registry.services.items() if name != before.choice]
    later = replace(world, registry=registry_of(others))
    assert WARM.decide(later, request, now).choice != before.choice
    assert WARM.decide(world, request, now) == before


@given(worlds(), requests, moments, st.integers(0, 2**32))
@settings(max_examples=60)
def test_services_of_other_organisations_are_not_even_named(world, request, now, seed) -> None:
    secret = replace(contract(Random(seed), "secret/model"), org_id="org-b")  # noqa: S311
    request = replace(request, model=request.model and "secret/model")
    contracts = [each.contract for each in world.registry.services.values()]
    alone = decide(world, request, now)
    beside = decide(replace(world, registry=registry_of([*contracts, secret])), request, now)
    assert replace(beside, registry_digest="") == replace(alone, registry_digest="")
    theirs = replace(request, caller=replace(request.caller, org_id="org-b"))
    theirs_decision = decide(replace(world, registry=registry_of([*contracts, secret])), theirs, now)
    assert "secret/model" in {each.service for each in (*theirs_decision.ranked, *theirs_decision.rejections)}


@given(worlds(policies=False), requests, moments)
@settings(max_examples=80)
def test_more_sensitive_data_never_finds_more_services(world: World, request: RouteRequest, now: datetime) -> None:
    world = replace(world, rules=replace(world.rules, requirements=(), preferences=()))
    candidates = [
        {each.service for each in decide(world, replace(request, data_class=data_class), now).ranked}
        for data_class in type(request.data_class)
    ]
    assert all(more >= less for more, less in pairwise(candidates))


@given(worlds(policies=False), requests, moments)
@settings(max_examples=60)
def test_an_unconfigured_service_is_rejected_at_security(world, request, now) -> None:
    bare = system_state({name: ServiceState(configured=False) for name in NAMES})
    decision = decide(replace(world, state=bare), request, now)
    assert decision.choice == ""
    for each in decision.rejections:
        assert each.step is not Step.TRAITS
        assert each.step is not Step.SECURITY or each.reason is Rejected.NOT_CONFIGURED


@given(worlds(policies=False), requests, moments)
@settings(max_examples=80)
def test_what_is_better_in_the_contract_is_never_worse_in_the_score(world, request, now) -> None:
    # With no time at all, one that promises a time is late, and one that promises none may not be.
    assume(request.deadline_ms != 0)
    decision = decide(world, request, now)
    assume(decision.choice)
    chosen = world.registry.services[decision.choice].contract
    quality, promised = chosen.quality, chosen.guarantees
    better = [
        replace(chosen, quality=replace(quality, default=10**6, by_task={})),
        replace(chosen, prices=tuple(replace(each, rates=Rates(), per_request=0) for each in chosen.prices)),
        replace(chosen, guarantees=replace(promised, first_token_p50_ms=1, tokens_per_second=10_000)),
        replace(chosen, guarantees=replace(promised, availability_ppm=10**6)),
    ]
    others = [each.contract for name, each in world.registry.services.items() if name != decision.choice]
    for each in better:
        improved = decide(replace(world, registry=registry_of([*others, each])), request, now)
        assert improved.choice == decision.choice
        assert improved.ranked[0].score >= decision.ranked[0].score
