"""The laws of the algebra of guarantees, and R-5: what is promised holds in every case that the contracts allow."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from router_strategies import moments, requests, worlds

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import PPM, DataClass
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.engine.guarantees import NOTHING, NOTHING_TO_DO, Guarantee, fallback, series, standby
from provider_router.domain.engine.promise import tried
from provider_router.domain.money.output_bound import most_output_tokens
from provider_router.domain.money.pricing import cost_micro_usd

times = st.integers(0, 10**6)
guarantees = st.builds(
    Guarantee,
    availability=st.fractions(0, 1, max_denominator=1000),
    first_token_ms=st.none() | times,
    certainty=st.fractions(0, 1, max_denominator=100),
    give_up_ms=times,
    cost_micro_usd=st.none() | times,
    clearance=st.sampled_from(DataClass),
    regions=st.none() | st.frozensets(st.sampled_from(["eu", "us", "jp"])),
    retention_days=st.none() | st.integers(0, 90),
    may_train=st.booleans(),
    on_premises=st.booleans(),
    repeats=st.booleans(),
    paths=st.frozensets(st.tuples(st.sampled_from(["a/m", "b/m"])), min_size=1, max_size=2),
)
COMPOSITIONS = (series, fallback, standby)


@given(guarantees, guarantees, guarantees)
def test_every_composition_is_associative(a: Guarantee, b: Guarantee, c: Guarantee) -> None:
    for compose in COMPOSITIONS:
        assert compose(compose(a, b), c) == compose(a, compose(b, c))


@given(guarantees)
def test_every_composition_has_an_identity(a: Guarantee) -> None:
    assert series(a, NOTHING_TO_DO) == a == series(NOTHING_TO_DO, a)
    for compose in (fallback, standby):
        assert compose(a, NOTHING) == a == compose(NOTHING, a)


@given(guarantees, guarantees)
def test_what_is_unknown_or_impossible_stays_so(a: Guarantee, b: Guarantee) -> None:
    unknown = replace(b, first_token_ms=None, cost_micro_usd=None, regions=None, retention_days=None)
    for compose, (x, y) in product(COMPOSITIONS, ((a, unknown), (unknown, a))):
        whole = compose(x, y)
        assert (whole.first_token_ms, whole.cost_micro_usd, whole.regions, whole.retention_days) == (None,) * 4
    assert series(a, replace(b, availability=Fraction(0))).availability == 0
    assert fallback(a, replace(b, availability=Fraction(1))).availability == 1


def is_no_worse(one: Guarantee, other: Guarantee) -> bool:
    def at_most(x: int | None, y: int | None) -> bool:
        return y is None or (x is not None and x <= y)

    return (
        one.availability >= other.availability
        and at_most(one.first_token_ms, other.first_token_ms)
        and one.certainty >= other.certainty
        and one.give_up_ms <= other.give_up_ms
        and at_most(one.cost_micro_usd, other.cost_micro_usd)
        and one.clearance >= other.clearance
        and (other.regions is None or (one.regions is not None and one.regions <= other.regions))
        and at_most(one.retention_days, other.retention_days)
        and one.may_train <= other.may_train
        and one.on_premises >= other.on_premises
        and one.deterministic >= other.deterministic
    )


def worsened(a: Guarantee, b: Guarantee) -> Guarantee:
    """No better than either of two, part by part."""

    def most(x: int | None, y: int | None) -> int | None:
        return None if x is None or y is None else max(x, y)

    return replace(
        a,
        availability=min(a.availability, b.availability),
        first_token_ms=most(a.first_token_ms, b.first_token_ms),
        certainty=min(a.certainty, b.certainty),
        give_up_ms=max(a.give_up_ms, b.give_up_ms),
        cost_micro_usd=most(a.cost_micro_usd, b.cost_micro_usd),
        clearance=min(a.clearance, b.clearance),
        regions=None if a.regions is None or b.regions is None else a.regions | b.regions,
        retention_days=most(a.retention_days, b.retention_days),
        may_train=a.may_train or b.may_train,
        on_premises=a.on_premises and b.on_premises,
        repeats=a.repeats and b.repeats,
    )


@given(guarantees, guarantees, guarantees)
def test_better_parts_never_make_a_worse_whole(a: Guarantee, b: Guarantee, c: Guarantee) -> None:
    worse = worsened(a, c)
    assert is_no_worse(a, worse)
    for compose in COMPOSITIONS:
        assert is_no_worse(compose(a, b), compose(worse, b))
        assert is_no_worse(compose(b, a), compose(b, worse))


@given(guarantees, guarantees)
def test_a_second_chance_helps_and_never_beyond_what_is_promised(a: Guarantee, b: Guarantee) -> None:
    assert standby(a, a).availability == a.availability
    assert standby(a, b).availability <= fallback(a, b).availability <= a.availability + b.availability
    assert standby(a, a).paths == a.paths
    assert series(a, b).availability <= min(a.availability, b.availability)


@given(guarantees, st.integers(1, 4), st.integers(0, 5_000))
def test_tries_add_time_and_cost_and_promise_nothing_else(a: Guarantee, tries: int, pause_ms: int) -> None:
    whole = tried(a, tries, pause_ms)
    assert whole.give_up_ms == tries * a.give_up_ms + (tries - 1) * pause_ms
    assert whole.cost_micro_usd == (None if a.cost_micro_usd is None else tries * a.cost_micro_usd)
    assert (whole.availability, whole.paths, whole.certainty) == (a.availability, a.paths, a.certainty)


@given(worlds(policies=False), requests, moments, st.data())
@settings(max_examples=150)
def test_r5_no_outcome_that_the_contracts_allow_breaks_a_promise(
    world: World, request: RouteRequest, now: datetime, data: st.DataObject
) -> None:
    decision = DecisionEngine().decide(world, request, now)
    assume(decision.choice)
    promise, control = decision.promise, decision.control
    spent, passed_ms = 0, 0
    tries = [link for link in control.chain for _ in range(link.tries)]
    winner = data.draw(st.integers(0, len(tries) - 1))
    for number, link in enumerate(tries[: winner + 1]):
        contract = world.registry.services[link.service].contract
        if number and tries[number - 1] is link:
            passed_ms += data.draw(st.integers(0, control.backoff_cap_ms))
        # Every try may be charged for, with as many tokens as it could use, whatever became of it.
        longest = most_output_tokens(contract.capabilities, request.input_tokens, request.max_output_tokens)
        tokens = data.draw(st.integers(0, 10**6 if longest is None else longest))
        cached = data.draw(st.integers(0, request.input_tokens))
        usage = TokenUsage(request.input_tokens, tokens, cached, cache_write_input_tokens=request.input_tokens - cached)
        spent += cost_micro_usd(contract.price_on(now.date()), usage)
        if number == winner:
            passed_ms += data.draw(st.integers(0, contract.guarantees.first_token_p95_ms or 10**6))
        else:
            passed_ms += data.draw(st.integers(0, link.first_token_timeout_ms))
        assert promise.clearance <= contract.privacy.clearance
        assert promise.regions is None or contract.privacy.regions <= promise.regions
        assert promise.may_train or not contract.privacy.trains_on_data
        assert contract.privacy.on_premises or not promise.on_premises
    assert promise.max_cost_micro_usd is None or spent <= promise.max_cost_micro_usd
    in_time = passed_ms <= control.total_timeout_ms
    assert not in_time or promise.first_token_p95_ms is None or passed_ms <= promise.first_token_p95_ms


@given(worlds(policies=False), requests, moments)
@settings(max_examples=80)
def test_r5_availability_is_at_least_that_of_the_best_link_and_at_most_that_of_independent_ones(
    world: World, request: RouteRequest, now: datetime
) -> None:
    decision = DecisionEngine().decide(world, request, now)
    assume(decision.choice)
    shares = [
        Fraction(world.registry.services[link.service].contract.guarantees.availability_ppm, PPM)
        for link in decision.control.chain
    ]
    failing = Fraction(1)
    for share in shares:
        failing *= 1 - share
    promised = decision.promise.availability_ppm or 0
    assert int(max(shares) * PPM) <= promised <= int((1 - failing) * PPM)
