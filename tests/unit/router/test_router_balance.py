"""Balancing: weights, places, keys. Invariants over random sequences of calls, reports and pauses."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from router_fakes import FakeCredentials, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.contracts.provider import Deployment, Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.key_health import KeyHealth, PausePolicy
from provider_router.domain.traffic.lease import CallReport, Lease, Unavailable
from provider_router.domain.traffic.station import HealthPolicy
from shared.circuit_breaker import Breaker, BreakerPolicy
from shared.testing.fakes import FakeClock

GOOD = CallReport(first_token_ms=100, output_tokens=20, duration_ms=300)
DOWN = CallReport(Reason.PROVIDER_ERROR)
REFUSED = CallReport(Reason.PROVIDER_REFUSED_KEY)
GIVEN_UP = CallReport(finished=False)
POLICY = HealthPolicy(
    BreakerPolicy(consecutive_failures=3, open_s=4, open_cap_s=16), PausePolicy(60, cooldown_s=2, cooldown_cap_s=16)
)


def place(name: str, *key_envs: str, **changes: object) -> Deployment:
    return Deployment(name, f"http://{name}.test/v1", f"http://{name}.test/v1", key_envs, **changes)


def service_at(*deployments: Deployment) -> Service:
    return service_of("one/m", provider=provider_spec("one", deployments=deployments))


def lender(clock: FakeClock | None = None, **keys: str | None) -> MemoryDeployments:
    return MemoryDeployments(FakeCredentials(**keys), clock or FakeClock(), lambda: 0.0, POLICY)


WEIGHTS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@settings(max_examples=40)
@given(WEIGHTS)
def test_one_call_after_the_other_follows_the_weights_exactly(weights: list[int]) -> None:
    service = service_at(*(place(f"d{index}", weight=weight) for index, weight in enumerate(weights)))
    deployments, chosen, rounds = lender(), Counter(), 3
    for _ in range(rounds * sum(weights)):
        lease = deployments.acquire(service)
        chosen[lease.target.deployment.name] += 1
        deployments.release(lease, GOOD)
    assert chosen == {f"d{index}": rounds * weight for index, weight in enumerate(weights)}


@settings(max_examples=40)
@given(WEIGHTS, st.integers(1, 60))
def test_calls_at_once_are_shared_by_weight_within_one(weights: list[int], calls: int) -> None:
    service = service_at(*(place(f"d{index}", weight=weight) for index, weight in enumerate(weights)))
    deployments = lender()
    leases = [deployments.acquire(service) for _ in range(calls)]
    held = Counter(lease.target.deployment.name for lease in leases)
    for index, weight in enumerate(weights):
        assert held[f"d{index}"] < calls * weight / sum(weights) + 1


def test_a_slow_deployment_gets_no_more_than_its_share_of_the_places() -> None:
    service = service_at(place("slow"), place("fast"))
    deployments, chosen, slow = lender(), Counter(), []
    for _ in range(200):
        lease = deployments.acquire(service)
        chosen[lease.target.deployment.name] += 1
        if lease.target.deployment.name == "slow":
            slow.append(lease)
        else:
            deployments.release(lease, GOOD)
    # It never answers: once a call waits there, every call that finds none elsewhere goes to the other.
    assert len(slow) == chosen["slow"] == 1


def test_keys_are_used_in_turn() -> None:
    service = service_at(place("a", "K1", "K2", "K3"))
    deployments, used = lender(K1="x", K2="y", K3="z"), Counter()
    for _ in range(30):
        lease = deployments.acquire(service)
        used[lease.target.key_env] += 1
        deployments.release(lease, GOOD)
    assert used == {"K1": 10, "K2": 10, "K3": 10}


def cooldowns(report: CallReport, times: int) -> list[float]:
    clock = FakeClock()
    service, deployments, waits = service_at(place("a")), lender(clock), []
    for _ in range(times):
        lease = deployments.acquire(service)
        deployments.release(lease, report)
        answer = deployments.acquire(service)
        assert answer.reason is Reason.PROVIDER_RATE_LIMITED
        waits.append(answer.retry_after_s)
        clock.advance(answer.retry_after_s)
    return waits


def test_a_rate_limit_without_a_time_rests_longer_each_time_up_to_a_cap() -> None:
    assert cooldowns(CallReport(Reason.PROVIDER_RATE_LIMITED), 5) == [2, 4, 8, 16, 16]


def test_retry_after_is_kept_to() -> None:
    assert cooldowns(CallReport(Reason.PROVIDER_RATE_LIMITED, retry_after_s=120), 2) == [120, 120]
    assert cooldowns(CallReport(Reason.PROVIDER_ERROR, retry_after_s=7), 2) == [7, 7]


def test_calls_that_are_limited_together_rest_once() -> None:
    service, deployments = service_at(place("a")), lender()
    leases = [deployments.acquire(service) for _ in range(20)]
    for lease in leases:
        deployments.release(lease, CallReport(Reason.PROVIDER_RATE_LIMITED))
    assert deployments.acquire(service).retry_after_s == 2


def test_a_success_makes_the_next_rest_short_again() -> None:
    policy, key = PausePolicy(cooldown_s=2), KeyHealth()
    key.cool(0.0, None, policy)
    key.cool(2.0, None, policy)
    assert key.cooling_until == 6.0
    key.worked(5.0)  # began before the rest
    key.cool(6.0, None, policy)
    assert key.cooling_until == 14.0
    key.worked(14.0)
    key.cool(15.0, None, policy)
    assert key.cooling_until == 17.0


def test_a_refused_key_is_tried_again_when_it_changes_or_after_a_long_pause() -> None:
    clock, credentials = FakeClock(), FakeCredentials(KEY="old")
    deployments = MemoryDeployments(credentials, clock, lambda: 0.0, POLICY)
    service = service_at(place("a", "KEY"))
    deployments.release(deployments.acquire(service), REFUSED)
    assert deployments.acquire(service) == Unavailable(Reason.PROVIDER_REFUSED_KEY, 60)
    credentials.keys["KEY"] = "new"
    lease = deployments.acquire(service)
    assert isinstance(lease, Lease)
    credentials.keys["KEY"] = "old"
    clock.advance(60)
    assert isinstance(deployments.acquire(service), Lease)
    # The refusal of a call with the older key does not retire the newer one.
    credentials.keys["KEY"] = "newest"
    deployments.release(lease, REFUSED)
    assert isinstance(deployments.acquire(service), Lease)


def test_the_nearest_obstacle_is_the_one_that_is_told() -> None:
    full, open_, bare = place("full", max_in_flight=1), place("open"), place("bare", "ABSENT")
    deployments = lender()
    assert deployments.acquire(service_at(bare)) == Unavailable(Reason.PROVIDER_NOT_CONFIGURED)
    for _ in range(3):
        deployments.release(deployments.acquire(service_at(open_)), DOWN)
    assert deployments.acquire(service_at(bare, open_)) == Unavailable(Reason.CIRCUIT_OPEN, 4, "PROVIDER_ERROR")
    deployments.acquire(service_at(full))
    busy = deployments.acquire(service_at(bare, open_, full))
    assert busy.reason is Reason.DEPLOYMENTS_BUSY
    assert 0 < busy.retry_after_s < 1


def test_the_hint_of_a_busy_deployment_follows_how_long_its_calls_take() -> None:
    service, deployments = service_at(place("a", max_in_flight=4)), lender()
    for _ in range(3):
        deployments.release(deployments.acquire(service), CallReport(first_token_ms=1, duration_ms=8000))
    for _ in range(4):
        deployments.acquire(service)
    assert deployments.acquire(service).retry_after_s == pytest.approx(2.0)


REPORTS = st.sampled_from(
    [
        GOOD,
        GOOD,
        DOWN,
        DOWN,
        REFUSED,
        GIVEN_UP,
        CallReport(Reason.PROVIDER_RATE_LIMITED),
        CallReport(Reason.PROVIDER_RATE_LIMITED, retry_after_s=5),
        CallReport(Reason.PROVIDER_ERROR, retry_after_s=3),
        CallReport(Reason.CONTEXT_TOO_LONG),
    ]
)


class BalanceMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.service = service_at(
            place("a", "K1", "K2", weight=3, max_in_flight=3),
            place("b", "K1", weight=1),
            place("c", max_in_flight=1),
            place("d", "ABSENT", weight=9),
        )
        self.snapshot = snapshot_of(self.service)
        self.deployments = lender(self.clock, K1="x", K2="y")
        self.out: list[Lease] = []
        self.closed_until: dict[Target, float] = {}

    @rule(tried=st.sets(st.integers(0, 3), max_size=3))
    def acquire(self, tried: set[int]) -> None:
        targets = self.service.provider.targets()
        before = {status.deployment: status for status in self.deployments.statuses(self.snapshot)}
        answer = self.deployments.acquire(self.service, [targets[index] for index in tried])
        if isinstance(answer, Unavailable):
            assert answer.retry_after_s is None or answer.retry_after_s > 0
            return
        self.out.append(answer)
        status = before[answer.target.deployment.name]
        assert answer.target.key_env != "ABSENT"
        assert self.clock.monotonic() >= self.closed_until.get(answer.target, 0.0)
        assert status.breaker is not Breaker.OPEN
        assert status.paused_until is None
        assert answer.trial is (status.breaker is Breaker.HALF_OPEN)

    @precondition(lambda self: self.out)
    @rule(which=st.integers(0, 100), report=REPORTS)
    def release(self, which: int, report: CallReport) -> None:
        lease = self.out.pop(which % len(self.out))
        self.deployments.release(lease, report)
        now, ends = self.clock.monotonic(), self.closed_until
        if report.reason is Reason.PROVIDER_REFUSED_KEY:
            ends[lease.target] = max(ends.get(lease.target, 0.0), now + 60)
        elif report.reason is Reason.PROVIDER_RATE_LIMITED:
            pause = report.retry_after_s or (2 if now >= ends.get(lease.target, 0.0) else 0)
            ends[lease.target] = max(ends.get(lease.target, 0.0), now + pause)
        elif report.retry_after_s:
            for target in self.service.provider.targets():
                if target.deployment == lease.target.deployment:
                    ends[target] = max(ends.get(target, 0.0), now + report.retry_after_s)

    @rule(seconds=st.sampled_from([0.5, 2, 4, 20, 70]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def places_are_counted(self) -> None:
        held = Counter(lease.target.deployment.name for lease in self.out)
        trials = Counter(lease.target.deployment.name for lease in self.out if lease.trial)
        for status in self.deployments.statuses(self.snapshot):
            assert status.in_flight == held[status.deployment]
            assert trials[status.deployment] <= 1
        for target in self.service.provider.targets():
            limit = target.deployment.max_in_flight
            assert not limit or held[target.deployment.name] <= limit

    def teardown(self) -> None:
        for lease in self.out:
            self.deployments.release(lease, GIVEN_UP)
        assert all(status.in_flight == 0 for status in self.deployments.statuses(self.snapshot))
        assert not self.deployments._loans


BalanceMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestBalanceMachine = BalanceMachine.TestCase
