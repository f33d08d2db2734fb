"""What moves a decision, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from router_decision_fakes import world_of
from router_fakes import price_of, service_of
from router_strategies import rules_of

from provider_router.domain.contracts.contract import (
    PPM,
    Constraints,
    DataClass,
    Guarantees,
    Modality,
    Operation,
    Price,
    Privacy,
    Quality,
    Rates,
    TimeWindow,
)
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision import TERMS, Decision, Promise
from provider_router.domain.decisions.route_request import Caller, Comparison, Estimate, RouteRequest, TraitConstraint
from provider_router.domain.decisions.service_state import Measured, Reward, ServiceState
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.engine.memo import Memo
from provider_router.domain.rulebook.rules import Preference, Requirement, Services, When
from provider_router.domain.rulebook.tiers import BUILT_IN
from shared.circuit_breaker import Breaker
from shared.errors import InvalidInput

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)  # a Friday
REQUEST = RouteRequest(
    Caller("acme", "ada", roles=("admin",)),
    input_tokens=1_000,
    output_tokens=500,
    estimate=Estimate("code", PPM, 600_000),
)


def service(name: str, **changes: object) -> Service:
    """A good service that is cleared for everything; the cheaper one of two is better."""
    fields = {
        "prices": price_of(1_000_000, 4_000_000),
        "quality": Quality(700_000),
        "privacy": Privacy(DataClass.RESTRICTED, frozenset({"eu"})),
        "guarantees": Guarantees(500, 1_500, 50, 999_000),
        "context_length": 100_000,
        "max_output_tokens": 4_000,
        "tool_calling": True,
    }
    return service_of(name, **{**fields, **changes})


ADA, BOB = service("ada/m"), service("bob/m", prices=price_of(2_000_000, 8_000_000))


def decide(world: World, now: datetime = NOW, **changes: object) -> Decision:
    return DecisionEngine().decide(world, replace(REQUEST, **changes), now)


def order(decision: Decision) -> list[str]:
    return [each.service for each in decision.ranked]


def reasons(decision: Decision) -> dict[str, str]:
    return {
        each.service: f"{each.step.value} {each.reason.value} {each.detail}".strip() for each in decision.rejections
    }


def terms(decision: Decision, name: str) -> dict[str, int]:
    return next(dict(zip(TERMS, each.terms, strict=True)) for each in decision.ranked if each.service == name)


def test_the_cheaper_of_two_equals_is_chosen_and_equals_are_ordered_by_name() -> None:
    assert order(decide(world_of(BOB, ADA))) == ["ada/m", "bob/m"]
    assert order(decide(world_of(service("b/m"), service("c/m"), service("a/m")))) == ["a/m", "b/m", "c/m"]


@pytest.mark.parametrize(
    ("service_changes", "request_changes", "said"),
    [
        ({"chat": False, "embeddings": True}, {}, "match OPERATION does embed"),
        ({}, {"model": "bob/m"}, "match NOT_THE_MODEL_ASKED_FOR"),
        ({}, {"provider": "bob"}, "match NOT_THE_PROVIDER_ASKED_FOR"),
        ({}, {"input_modalities": frozenset({Modality.TEXT, Modality.IMAGE})}, "match MODALITY_IN takes text"),
        ({}, {"output_modalities": frozenset({Modality.AUDIO})}, "match MODALITY_OUT gives text"),
        ({"tool_calling": False}, {"needs_tools": True}, "match TOOL_CALLING calls no tools"),
        ({"json_schema": False}, {"needs_json_schema": True}, "match JSON_SCHEMA cannot be bound to a JSON Schema"),
        ({"languages": frozenset({"fr", "de"})}, {"language": "en"}, "match LANGUAGE speaks de, fr"),
        ({"context_length": 1_000}, {}, "match CONTEXT_LENGTH its context has 1000 tokens"),
        ({"constraints": Constraints(max_payload_bytes=9)}, {"payload_bytes": 10}, "match PAYLOAD_SIZE takes 9 bytes"),
        ({}, {"deadline_ms": 499}, "match DEADLINE is expected to begin after 500 ms"),
        ({}, {"max_cost_micro_usd": 2_999}, "match COST_LIMIT is expected to cost more"),
        (
            {"prices": ()},
            {"max_cost_micro_usd": 10**9},
            "match PRICE_UNKNOWN its contract has no price, and a cost limit applies",
        ),
        ({"traits": {"stop": False}}, {"parameters": frozenset({"stop"})}, "match PARAMETER takes no stop"),
        ({}, {"budget_left_micro_usd": 16_999}, "match BUDGET_LEFT may cost more"),
        (
            {"prices": ()},
            {"budget_left_micro_usd": 10**9},
            "match PRICE_UNKNOWN its contract has no price, and a budget applies",
        ),
        ({}, {"chain": ("bob/m",)}, "rules NOT_IN_CHAIN"),
        ({"privacy": Privacy(DataClass.PUBLIC)}, {}, "security CLEARANCE cleared for public"),
        (
            {"privacy": Privacy(DataClass.RESTRICTED, frozenset({"eu", "us"}))},
            {"residency": frozenset({"eu"})},
            "security RESIDENCY processes data in eu, us",
        ),
        (
            {"privacy": Privacy(DataClass.RESTRICTED)},
            {"residency": frozenset({"eu"})},
            "security RESIDENCY processes data in a place that its contract does not name",
        ),
        ({}, {"traits": (TraitConstraint("size", Comparison.AT_LEAST, (2,)),)}, "traits TRAIT size is not set"),
        (
            {"traits": {"size": True}},
            {"traits": (TraitConstraint("size", Comparison.EQUAL, (1,)),)},
            "traits TRAIT size is true",
        ),
    ],
)
def test_each_reason_with_what_would_have_had_to_hold(service_changes, request_changes, said) -> None:
    decision = decide(world_of(service("ada/m", **service_changes)), **request_changes)
    assert reasons(decision) == {"ada/m": said}
    assert (decision.choice, decision.promise, decision.control.chain) == ("", Promise(), ())


@pytest.mark.parametrize(
    ("changes", "limits"),
    [
        ({"max_cost_micro_usd": 3_000}, {}),  # exactly what it is expected to cost
        ({"budget_left_micro_usd": 17_000}, {}),  # exactly what would be reserved
        ({"deadline_ms": 500}, {}),
        ({"deadline_ms": 1}, {"guarantees": Guarantees()}),  # nobody knows how long it takes
        ({}, {"context_length": 1_001}),
        ({"max_output_tokens": 100_000}, {}),  # a longer answer than it gives is cut, not refused
        ({"output_tokens": 90_000}, {}),
        ({}, {"prices": ()}),
        ({"parameters": frozenset({"temperature"})}, {"traits": {"temperature": True, "stop": False}}),
        ({"budget_left_micro_usd": 0}, {"prices": price_of(0)}),
        ({"max_cost_micro_usd": 0}, {"prices": (), "privacy": Privacy(DataClass.RESTRICTED, on_premises=True)}),
    ],
)
def test_what_is_just_within_a_limit_passes(changes: dict, limits: dict) -> None:
    assert decide(world_of(service("ada/m", **limits)), **changes).choice == "ada/m"


def test_the_first_step_that_a_service_does_not_pass_is_the_one_that_counts() -> None:
    hopeless = service("ada/m", context_length=10, privacy=Privacy(DataClass.PUBLIC))
    state = {"ada/m": ServiceState(configured=False)}
    trait = (TraitConstraint("size", Comparison.EQUAL, (1,)),)
    found = []
    for fields in ({"chain": ("x/m",), "input_tokens": 50}, {"chain": ("x/m",)}, {}, {}, {}):
        service_state = state if len(found) < 3 else {}
        data_class = DataClass.PUBLIC if len(found) == 4 else DataClass.INTERNAL
        asked = {"input_tokens": 5, "traits": trait, "data_class": data_class, **fields}
        found.append(reasons(decide(world_of(hopeless, state=service_state), **asked))["ada/m"].split()[:2])
    assert found == [
        ["match", "CONTEXT_LENGTH"],
        ["rules", "NOT_IN_CHAIN"],
        ["security", "NOT_CONFIGURED"],
        ["security", "CLEARANCE"],
        ["traits", "TRAIT"],
    ]


def test_time_windows_hold_to_the_minute_in_utc() -> None:
    friday = TimeWindow(frozenset({4}), 12 * 60 + 30, 12 * 60 + 31)
    world = world_of(service("ada/m", constraints=Constraints(windows=(friday,))))
    assert decide(world).choice == "ada/m"
    for now in (NOW.replace(minute=29, second=59), NOW.replace(minute=31), NOW.replace(day=21)):
        assert reasons(decide(world, now)) == {"ada/m": "match TIME_WINDOW not used at this time"}


def test_prices_are_those_of_the_day_and_of_the_length_of_the_prompt() -> None:
    prices = (
        Price(date(2026, 1, 1), Rates(1_000_000, 1_000_000)),
        Price(date(2026, 11, 21), Rates(10_000_000, 0), 900, Rates(20_000_000, 0), per_request=7),
    )
    world = world_of(service("ada/m", prices=prices))
    costs = [
        decide(world, NOW.replace(day=day), input_tokens=tokens).ranked[0].expected_cost_micro_usd
        for day, tokens in ((20, 1_000), (21, 900), (21, 1_000), (21, 901))
    ]
    assert costs == [1_500, 9_007, 20_007, 18_027]


def test_a_service_that_is_out_is_the_last_and_still_there() -> None:
    for state in (ServiceState(breaker=Breaker.OPEN), ServiceState(cooling=True), ServiceState(load_ppm=PPM)):
        decision = decide(world_of(ADA, BOB, state={"ada/m": state}))
        assert order(decision) == ["bob/m", "ada/m"]
        assert [link.tries for link in decision.control.chain] == [2, 1]
        assert decide(world_of(ADA, state={"ada/m": state})).choice == "ada/m"
    assert decide(world_of(ADA, BOB, state={"ada/m": ServiceState(breaker=Breaker.HALF_OPEN)})).choice == "bob/m"


def test_failures_broken_promises_and_load_cost_places() -> None:
    states = [
        ServiceState(measured=Measured(calls=500, success_ppm=900_000)),
        ServiceState(broken_promises=("first_token_p95_ms", "tokens_per_second")),
        ServiceState(load_ppm=900_000),
    ]
    for state in states:
        assert order(decide(world_of(ADA, BOB, state={"ada/m": state}))) == ["bob/m", "ada/m"]
    slow = {"ada/m": ServiceState(measured=Measured(calls=500, first_token_p50_ms=20_000))}
    assert order(decide(world_of(ADA, BOB, state=slow), tier="fast")) == ["bob/m", "ada/m"]


def test_few_measurements_change_little() -> None:
    slow = Measured(calls=1, success_ppm=0, first_token_p50_ms=4_000)
    few = decide(world_of(ADA, state={"ada/m": ServiceState(measured=slow)})).ranked[0]
    many = decide(world_of(ADA, state={"ada/m": ServiceState(measured=replace(slow, calls=2_000))})).ranked[0]
    assert few.expected_first_token_ms == (500 * 20 + 4_000) // 21
    assert 3_900 < many.expected_first_token_ms < 4_000
    assert many.score < few.score < decide(world_of(ADA)).ranked[0].score


def test_outcomes_outweigh_what_a_contract_says_only_when_there_are_many() -> None:
    def reward(count: int, mean: int) -> dict[str, ServiceState]:
        return {"bob/m": ServiceState(rewards={"code": Reward(count, count * mean), "math": Reward(10**6, 0)})}

    assert decide(world_of(ADA, BOB, state=reward(1, PPM))).choice == "ada/m"
    assert decide(world_of(ADA, BOB, state=reward(500, PPM))).choice == "bob/m"
    untried, tried = (terms(decide(world_of(BOB, state=reward(n, 700_000))), "bob/m")["reward"] for n in (0, 10_000))
    assert tried < untried


def test_a_hard_task_wants_a_strong_service_and_an_easy_one_does_not() -> None:
    strong = service("strong/m", quality=Quality(950_000), prices=price_of(3_000_000, 12_000_000))
    weak = service("weak/m", quality=Quality(500_000), prices=price_of(500_000, 2_000_000))
    found = [decide(world_of(strong, weak), estimate=Estimate("code", PPM, c)).choice for c in (50_000, 900_000)]
    assert found == ["weak/m", "strong/m"]


def test_as_sure_as_the_estimator_is_so_far_the_task_class_counts() -> None:
    world = world_of(service("ada/m", quality=Quality(400_000, {"code": 900_000})))
    values = [
        terms(decide(world, estimate=Estimate("code", sure, 0)), "ada/m")["quality"]
        // BUILT_IN["balanced"].weights.quality
        for sure in (0, 99_999, 100_000, 555_555, PPM)
    ]
    assert values == [400_000, 400_000, 450_000, 650_000, 900_000]


def test_a_weak_service_is_passed_over_while_there_is_a_better_one() -> None:
    weak = service("weak/m", quality=Quality(100_000), prices=price_of(0))
    ill = {"ada/m": ServiceState(measured=Measured(1_000, 500_000, 30_000), broken_promises=("a", "b"))}
    assert order(decide(world_of(weak, ADA, state=ill), tier="fast")) == ["ada/m", "weak/m"]
    assert decide(world_of(weak), tier="fast").choice == "weak/m"
    down = {"ada/m": ServiceState(breaker=Breaker.OPEN)}
    assert order(decide(world_of(weak, ADA, state=down), tier="fast")) == ["weak/m", "ada/m"]


def test_an_answer_without_room_loses_fit() -> None:
    short = service("ada/m", max_output_tokens=100)
    assert decide(world_of(short, BOB)).choice == "bob/m"
    whole, cut = (terms(decide(world_of(each)), "ada/m")["fit"] for each in (ADA, short))
    assert cut == whole // 5
    tight = service("ada/m", context_length=1_100)
    assert terms(decide(world_of(tight)), "ada/m")["fit"] == whole // 5


def test_a_conversation_stays_and_rules_prefer_and_require() -> None:
    twin = service("twin/m", tags=frozenset({"liked"}))
    assert decide(world_of(ADA, twin)).choice == "ada/m"
    assert decide(world_of(ADA, twin), affinity="twin/m").choice == "twin/m"
    prefer = Preference("p", 0, When(task_classes=frozenset({"code"})), Services(tags=frozenset({"liked"})), 100_000)
    world = world_of(ADA, twin, rules=rules_of(preferences=(prefer,)))
    assert decide(world).choice == "twin/m"
    assert decide(world, estimate=Estimate("math", PPM, 0)).choice == "ada/m"
    rules = [Requirement(name, number, When(), Services(names=("twin/*",))) for number, name in enumerate("abc")]
    decision = decide(world_of(ADA, twin, rules=rules_of(requirements=tuple(rules))))
    assert reasons(decision) == {"ada/m": "rules REQUIRED_BY_RULE c"}


def test_an_operators_chain_is_followed_as_long_as_its_members_can_be_called() -> None:
    chain = ("bob/m", "ada/m")
    assert order(decide(world_of(ADA, BOB), chain=chain)) == ["bob/m", "ada/m"]
    down = {"bob/m": ServiceState(breaker=Breaker.OPEN)}
    assert order(decide(world_of(ADA, BOB, state=down), chain=chain)) == ["ada/m", "bob/m"]
    many = [service(f"ada/m{number}") for number in range(8)]
    names = tuple(each.name for each in reversed(many))
    assert tuple(link.service for link in decide(world_of(*many), chain=names).control.chain) == names
    assert len(decide(world_of(*many)).control.chain) == 4


def test_a_near_deadline_is_shared_and_leaves_each_link_what_it_is_likely_to_need() -> None:
    control = decide(world_of(ADA, BOB), deadline_ms=10_000).control
    assert control.total_timeout_ms == 9_728
    assert [link.first_token_timeout_ms for link in control.chain] == [4_864, 4_864]
    hasty = decide(world_of(ADA, BOB), deadline_ms=2_000).control
    assert [link.first_token_timeout_ms for link in hasty.chain] == [1_984, 1_984]
    assert (hasty.idle_timeout_ms, hasty.backoff_cap_ms, hasty.max_attempts) == (1_984, 496, 4)


def test_a_service_that_would_be_late_loses_all_of_the_latency_term() -> None:
    world = world_of(ADA)
    assert terms(decide(world, deadline_ms=10_500), "ada/m")["latency"] > -BUILT_IN["balanced"].weights.latency * PPM
    assert terms(decide(world, deadline_ms=10_499), "ada/m")["latency"] == -BUILT_IN["balanced"].weights.latency * PPM


def test_hedging_waits_for_what_is_slow_for_this_service() -> None:
    assert decide(world_of(ADA, BOB), tier="fast").control.hedge_after_ms == 1_500
    assert decide(world_of(ADA), tier="fast").control.hedge_after_ms == 0
    assert decide(world_of(ADA, BOB)).control.hedge_after_ms == 0
    measured = {"ada/m": ServiceState(measured=Measured(380, first_token_p95_ms=500))}
    assert decide(world_of(ADA, BOB, state=measured), tier="fast").control.hedge_after_ms == 550


def test_promises_follow_from_the_contracts() -> None:
    own = Privacy(DataClass.RESTRICTED, frozenset({"eu"}), 0, trains_on_data=False, on_premises=True)
    free = service("home/m", prices=(), privacy=own)
    steady = replace(free.contract, guarantees=replace(free.contract.guarantees, deterministic=True))
    alone = decide(world_of(replace(free, contract=steady))).promise
    # A second try begins after the first one's time and the longest pause.
    assert alone == Promise(
        999_000, 60_000 + 5_000 + 1_500, 0, DataClass.RESTRICTED, frozenset({"eu"}), 0,
        may_train=False, on_premises=True, deterministic=True,
    )  # fmt: skip
    both = decide(world_of(replace(free, contract=steady), ADA)).promise
    assert (both.availability_ppm, both.on_premises, both.deterministic) == (999_999, False, False)
    assert both.may_train  # nobody says that the other one does not
    assert both.max_cost_micro_usd == 2 * (1_000 + 16_000)
    assert both.retention_days is None
    siblings = decide(world_of(ADA, service("ada/n"))).promise
    assert siblings.availability_ppm == 999_000
    unknown = decide(world_of(ADA, service("bob/m", prices=(), guarantees=Guarantees()))).promise
    assert (unknown.availability_ppm, unknown.first_token_p95_ms, unknown.max_cost_micro_usd) == (999_000, None, None)


def test_a_tier_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidInput, match="There are: fast, balanced, deep") as caught:
        decide(world_of(ADA), tier="hasty")
    assert caught.value.reason == "TIER_UNKNOWN"


def test_rejections_of_a_class_are_one_object() -> None:
    engine, world = DecisionEngine(), world_of(ADA, service("small/m", context_length=500), BOB)
    decisions = [
        engine.decide(world, replace(REQUEST, input_tokens=tokens), NOW) for tokens in (900, 901, 10, 11, 902, 12)
    ]
    assert {id(each.rejections) for each in decisions} == {id(decisions[0].rejections), id(decisions[2].rejections)}
    assert [len(each.rejections) for each in decisions] == [1, 1, 0, 0, 1, 0]


def test_a_memory_keeps_what_was_used_last_within_its_bounds() -> None:
    memo: Memo[str] = Memo(10)
    for key in "abc":
        memo.put(key, key.upper(), 4)
    assert [memo.get(key) for key in "abc"] == [None, "B", "C"]
    assert memo.get("b") == "B"
    memo.put("d", "D", 4)
    assert [memo.get(key) for key in "bcd"] == ["B", None, "D"]
    memo.put("e", "E", 100)
    assert [memo.get(key) for key in "bde"] == [None, None, "E"]
    memo.put("e", "F", 1)
    assert (memo.get("e"), memo.weight) == ("F", 1)


def test_embeddings_are_routed_like_everything_else() -> None:
    embeds = service("vec/m", chat=False, embeddings=True)
    assert decide(world_of(ADA, embeds), operation=Operation.EMBED).choice == "vec/m"
