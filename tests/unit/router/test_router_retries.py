"""When the same service is tried again, how long that waits, and what it may cost the providers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_answer_rig import PRICES, Rig
from router_fakes import FakeChatModel, provider_spec, service_of

from provider_router.domain.contracts.contract import Constraints
from provider_router.domain.decisions.decision import Control
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.domain.traffic.lease import Unavailable
from provider_router.domain.traffic.retry import Move, backoff_s, move_after
from provider_router.domain.traffic.retry_budget import RetryBudget, RetryBudgets
from shared.errors import NexusError, QuotaExceeded, UpstreamDown

DOWN = failure(Reason.PROVIDER_UNREACHABLE, "The provider does not answer.")
SLOW = failure(Reason.PROVIDER_TIMEOUT, "Too slow.")
KEY = failure(Reason.PROVIDER_REFUSED_KEY, "No.")
TOO_LONG = failure(Reason.CONTEXT_TOO_LONG, "Too long.")


def limited(retry_after_s: float | None) -> NexusError:
    return failure(Reason.PROVIDER_RATE_LIMITED, "Later.", retry_after_s=retry_after_s)


async def test_a_passing_fault_is_tried_again_with_full_jitter() -> None:
    rig = Rig({"one/m": [FakeChatModel([DOWN]), FakeChatModel()], "two/m": FakeChatModel()})
    rig.jitter = 0.25
    events = await rig.events()
    assert events[0].model == "one/m"
    assert [a.reason for a in events[0].attempts] == ["PROVIDER_UNREACHABLE"]
    assert rig.slept_s == [0.025]


async def test_pauses_double_up_to_the_cap() -> None:
    rig = Rig({"one/m": FakeChatModel([DOWN])}, tries=5, backoff_cap_ms=300)
    with pytest.raises(UpstreamDown):
        await rig.events()
    assert rig.slept_s == [0.1, 0.2, 0.3, 0.3]
    assert len(rig.rows) == 5


async def test_attempts_are_bounded_over_the_whole_chain() -> None:
    models = {name: FakeChatModel([DOWN]) for name in ("one/m", "two/m", "three/m")}
    rig = Rig(models, tries=3, max_attempts=4)
    with pytest.raises(UpstreamDown):
        await rig.events()
    assert [row.opening.service for row in rig.rows] == ["one/m", "one/m", "one/m", "two/m"]
    assert [row.opening.number for row in rig.rows] == [1, 2, 3, 4]


async def test_what_is_wrong_with_the_request_is_not_tried_again() -> None:
    rig = Rig({"one/m": FakeChatModel([TOO_LONG]), "two/m": FakeChatModel()})
    await rig.events()
    assert [row.opening.service for row in rig.rows] == ["one/m", "two/m"]
    assert rig.slept_s == []


async def test_who_was_waited_for_in_vain_comes_last() -> None:
    rig = Rig({"one/m": [FakeChatModel([SLOW]), FakeChatModel()], "two/m": FakeChatModel([TOO_LONG])})
    events = await rig.events()
    assert [row.opening.service for row in rig.rows] == ["one/m", "two/m", "one/m"]
    assert events[0].model == "one/m"


async def test_a_refused_key_is_followed_by_the_next_key_at_once() -> None:
    provider = provider_spec("one", key_envs=("A", "B"))
    rig = Rig({"one/m": [FakeChatModel([KEY]), FakeChatModel()]}, service_of("one/m", provider=provider, prices=PRICES))
    rig.deployments.credentials.keys |= {"A": "a", "B": "b"}
    await rig.events()
    assert [target.key_env for target in rig.source.targets] == ["A", "B"]
    assert rig.slept_s == []


async def test_a_refused_only_key_is_not_tried_again() -> None:
    rig = Rig({"one/m": FakeChatModel([KEY])})
    with pytest.raises(NexusError) as caught:
        await rig.events(model="one/m")
    assert caught.value.reason == KEY.reason
    assert len(rig.rows) == 1


async def test_a_limited_key_is_followed_by_the_next_key_at_once() -> None:
    provider = provider_spec("one", key_envs=("A", "B"))
    models = [FakeChatModel([limited(30.0)]), FakeChatModel()]
    rig = Rig({"one/m": models}, service_of("one/m", provider=provider, prices=PRICES))
    rig.deployments.credentials.keys |= {"A": "a", "B": "b"}
    await rig.events()
    assert [target.key_env for target in rig.source.targets] == ["A", "B"]
    assert rig.slept_s == []


@pytest.mark.parametrize(
    ("retry_after_s", "another", "waits"),
    [(0.8, True, True), (0.8, False, True), (3.0, True, False), (3.0, False, True), (30.0, False, False)],
)
async def test_retry_after_is_honoured_where_it_is_worth_it(retry_after_s: float, another: bool, waits: bool) -> None:
    models: dict[str, object] = {"one/m": [FakeChatModel([limited(retry_after_s)]), FakeChatModel()]}
    rig = Rig(models | ({"two/m": FakeChatModel()} if another else {}))
    original = rig.deployments.acquire

    def acquire(service, tried=()):
        rig.deployments.heal()
        return original(service, tried)

    rig.deployments.acquire = acquire
    if waits:
        events = await rig.events()
        assert events[0].model == "one/m"
        assert rig.slept_s == [retry_after_s]
    elif another:
        events = await rig.events()
        assert events[0].model == "two/m"
        assert rig.slept_s == []
    else:
        with pytest.raises(UpstreamDown) as caught:
            await rig.events()
        assert caught.value.retry_after_s == retry_after_s


async def test_a_retry_after_beyond_the_calls_time_is_not_waited_for() -> None:
    rig = Rig({"one/m": FakeChatModel([limited(3.0)])})
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(model="one/m", timeout_ms=2_000)
    assert (caught.value.reason, caught.value.retry_after_s) == ("PROVIDER_RATE_LIMITED", 3.0)
    assert rig.slept_s == []


async def test_a_service_that_cannot_be_called_is_passed_over_without_an_attempt() -> None:
    rig = Rig({"one/m": FakeChatModel(), "two/m": FakeChatModel()})
    rig.deployments.unavailable["one/m"] = Unavailable(Reason.CIRCUIT_OPEN, 4.0)
    events = await rig.events()
    assert [(a.model, a.reason, a.deployment) for a in events[0].attempts] == [("one/m", "CIRCUIT_OPEN", "")]
    assert [row.opening.service for row in rig.rows] == ["two/m"]
    assert rig.observer.skipped == [("one/m", "CIRCUIT_OPEN")]


async def test_an_open_breaker_fails_fast_and_says_when_to_come_back() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    rig.deployments.unavailable["one/m"] = Unavailable(Reason.CIRCUIT_OPEN, 4.0)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(model="one/m")
    assert (caught.value.reason, caught.value.retry_after_s) == ("CIRCUIT_OPEN", 4.0)
    assert rig.slept_s == []


async def test_a_busy_deployment_is_waited_for_a_few_times() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    rig.deployments.unavailable["one/m"] = Unavailable(Reason.DEPLOYMENTS_BUSY, 0.5)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(model="one/m")
    assert caught.value.reason == "DEPLOYMENTS_BUSY"
    assert rig.slept_s == [0.5, 0.5, 0.5]


async def test_a_provider_at_its_own_limit_is_passed_over_and_keeps_nothing() -> None:
    busy = service_of("one/m", prices=PRICES, constraints=Constraints(requests_per_minute=1))
    rig = Rig({"one/m": FakeChatModel(), "two/m": FakeChatModel()}, busy)
    await rig.events()
    events = await rig.events()
    assert [a.reason for a in events[0].attempts] == ["PROVIDER_RATE_LIMITED"]
    assert rig.deployments.out == []
    assert rig.nothing_is_held()


async def test_tokens_that_were_not_used_are_given_back_and_the_others_taken() -> None:
    limited_service = service_of("one/m", prices=PRICES, constraints=Constraints(tokens_per_minute=1000))
    rig = Rig({"one/m": FakeChatModel()}, limited_service)
    await rig.events()
    # Expected: 1 of the prompt and 2 generated; used: 10 and 2.
    assert [charge.amount for charge in rig.limiter.taken] == [3]
    assert [charge.amount for charge in rig.limiter.given_back] == [-9]


async def test_a_caller_over_its_limit_is_refused_with_the_time_to_wait() -> None:
    model = FakeChatModel()
    rig = Rig({"one/m": model})
    bucket = Bucket(Scope.USER, "org-a/ann", Unit.REQUESTS, 1)
    rig.book.charges = [Charge(bucket, 1)]
    await rig.events()
    with pytest.raises(QuotaExceeded) as caught:
        await rig.events()
    assert caught.value.reason == "RATE_LIMITED"
    assert caught.value.retry_after_s == pytest.approx(60.0)
    assert len(model.asked) == len(rig.rows) == 1


async def test_a_caller_without_tokens_left_gets_its_request_back() -> None:
    model = FakeChatModel()
    rig = Rig({"one/m": model})
    requests = Charge(Bucket(Scope.USER, "org-a/ann", Unit.REQUESTS, 1), 1)
    tokens = Charge(Bucket(Scope.ORGANISATION, "org-a", Unit.TOKENS, 2), 2)
    await rig.limiter.acquire([tokens])
    rig.book.charges = [requests, tokens]
    with pytest.raises(QuotaExceeded) as caught:
        await rig.events()
    assert caught.value.metadata["limited"] == "tokens"
    assert rig.limiter.given_back == [requests]
    assert model.asked == []


async def test_the_process_makes_no_more_retries_than_its_budget_allows() -> None:
    rig = Rig({"one/m": FakeChatModel([DOWN]), "two/m": FakeChatModel()}, tries=3)
    for _ in range(100):
        await rig.events()
        rig.deployments.heal()
    tries = [row for row in rig.rows if row.opening.service == "one/m"]
    # The bucket's 20, a fifth of a call for each request, and a minute's floor at most.
    assert 100 < len(tries) <= 100 + 20 + 20 + 60
    assert all(rig.outcomes()[-1] == ("two/m", "succeeded", "") for _ in range(1))


async def test_a_call_ends_with_its_time() -> None:
    rig = Rig({"one/m": FakeChatModel([DOWN])}, tries=9, backoff_base_ms=1_000, backoff_cap_ms=1_000)
    with pytest.raises(UpstreamDown) as caught:
        await rig.events(timeout_ms=2_500)
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert sum(rig.slept_s) <= 2.5


@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 10_000), st.integers(0, 60_000))
def test_a_pause_is_within_its_ceiling(failures: int, share: float, base_ms: int, cap_ms: int) -> None:
    pause_s = backoff_s(Control(backoff_base_ms=base_ms, backoff_cap_ms=cap_ms), failures, share)
    assert 0 <= pause_s <= min(cap_ms, base_ms * 2 ** (failures - 1)) / 1000


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=200))
def test_the_retry_budget_is_never_exceeded(steps: list[tuple[bool, float]]) -> None:
    budget = RetryBudget(share_ppm=200_000, floor_per_minute=60, most=10)
    now, requests, taken = 0.0, 0, 0
    for is_request, pause_s in steps:
        now += pause_s
        if is_request:
            requests += 1
            budget.request()
        else:
            taken += budget.take(now)
    assert taken <= 10 + requests / 5 + now + 1e-6


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=100))
def test_what_one_organisation_retries_is_nothing_to_another(steps: list[tuple[str, bool]]) -> None:
    budgets = RetryBudgets(lambda: RetryBudget(most=3))
    alone = {org_id: RetryBudget(most=3) for org_id in "ab"}
    for now, (org_id, is_request) in enumerate(steps):
        if is_request:
            budgets.of(org_id).request()
            alone[org_id].request()
        else:
            assert budgets.of(org_id).take(now / 10) is alone[org_id].take(now / 10)


def test_budgets_of_organisations_are_bounded_and_those_in_use_stay() -> None:
    budgets = RetryBudgets(lambda: RetryBudget(floor_per_minute=0, most=1), most=2)
    used = budgets.of("a")
    assert used.take(0)
    for number in range(5):
        budgets.of(f"other-{number}")
        assert budgets.of("a") is used
    assert not budgets.of("a").take(1)
    assert budgets.of("other-0").take(0)


async def test_an_outage_of_one_organisation_takes_no_retry_of_another() -> None:
    rig = Rig({"one/m": [FakeChatModel([DOWN]), FakeChatModel()]}, tries=2)
    while rig.retries.of("somebody else").take(rig.clock.monotonic()):
        pass
    await rig.events()
    assert [outcome for _, outcome, _ in rig.outcomes()] == ["failed", "succeeded"]


def test_unknown_reasons_lead_on() -> None:
    assert move_after("SOMETHING_ELSE") is Move.ON
    assert move_after("PROVIDER_ERROR") is Move.AGAIN
