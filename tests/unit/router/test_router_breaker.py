"""The circuit breaker against a naive reference that keeps the whole history and works everything out from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from provider_router.domain.errors import Reason
from provider_router.domain.traffic.call_verdict import FAULTS, Verdict, verdict_of
from provider_router.domain.traffic.lease import CallReport
from shared.circuit_breaker import Breaker, BreakerPolicy, CircuitBreaker, Permit

POLICY = BreakerPolicy(
    consecutive_failures=3,
    failure_share_ppm=500_000,
    min_calls=6,
    slice_s=1,
    slices=4,
    open_s=2,
    open_cap_s=10,
    jitter_share=0.25,
)


@dataclass
class Reference:
    """Everything that happened since the last change of state, and the state."""

    state: Breaker = Breaker.CLOSED
    history: list[tuple[float, bool]] = field(default_factory=list)
    openings: int = 0
    opened_at: float = 0.0
    open_for: float = 0.0
    trial_out: bool = False
    era: int = 0

    def pass_time(self, now: float) -> None:
        if self.state is Breaker.OPEN and now - self.opened_at >= self.open_for:
            self.enter(Breaker.HALF_OPEN)

    def enter(self, state: Breaker) -> None:
        self.state = state
        self.history = []
        self.trial_out = False
        self.era += 1

    def open(self, now: float, jitter: float) -> None:
        self.openings += 1
        longest = POLICY.open_s
        for _ in range(self.openings - 1):
            longest = min(POLICY.open_cap_s, 2 * longest)
        self.opened_at = now
        self.open_for = longest - POLICY.jitter_share * longest * jitter
        self.enter(Breaker.OPEN)

    def failed(self, now: float, jitter: float) -> None:
        if self.state is Breaker.HALF_OPEN:
            self.open(now, jitter)
            return
        self.history.append((now, False))
        last = [good for _, good in self.history[-POLICY.consecutive_failures :]]
        window = [good for time, good in self.history if int(time) > int(now) - POLICY.slices]
        in_a_row = len(last) == POLICY.consecutive_failures and not any(last)
        if in_a_row or (len(window) >= POLICY.min_calls and window.count(False) >= len(window) / 2):
            self.open(now, jitter)

    def succeeded(self, now: float) -> None:
        if self.state is Breaker.HALF_OPEN:
            self.openings = 0
            self.enter(Breaker.CLOSED)
        else:
            self.history.append((now, True))


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker(POLICY)
        self.reference = Reference()
        # In eighths of a second: sums of them are exact.
        self.now = 1000.0
        self.out: list[tuple[Permit, int]] = []

    @rule(eighths=st.integers(0, 40))
    def wait(self, eighths: int) -> None:
        self.now += eighths / 8
        self.reference.pass_time(self.now)

    @rule(count=st.integers(1, 4))
    def lend(self, count: int) -> None:
        for _ in range(count):
            reference = self.reference
            expected = reference.state is Breaker.CLOSED
            expected |= reference.state is Breaker.HALF_OPEN and not reference.trial_out
            assert self.breaker.lends(self.now) is expected
            permit = self.breaker.lend(self.now)
            assert (permit is not None) is expected
            if permit is not None:
                assert permit.trial is (reference.state is Breaker.HALF_OPEN)
                reference.trial_out = permit.trial
                self.out.append((permit, reference.era))

    @precondition(lambda self: self.out)
    @rule(
        which=st.integers(0, 100),
        outcome=st.sampled_from(["good", "bad", "bad", "bad", "nothing"]),
        jitter=st.sampled_from([0.0, 0.5, 1.0]),
    )
    def report(self, which: int, outcome: str, jitter: float) -> None:
        permit, era = self.out.pop(which % len(self.out))
        counts = era == self.reference.era
        before = self.reference.state
        if outcome == "good":
            if counts:
                self.reference.succeeded(self.now)
            closed = self.breaker.succeeded(permit, self.now)
            assert closed is (self.reference.state is Breaker.CLOSED and before is not Breaker.CLOSED)
        elif outcome == "bad":
            if counts:
                self.reference.failed(self.now, jitter)
            opened = self.breaker.failed(permit, self.now, jitter)
            assert opened is (counts and self.reference.state is Breaker.OPEN)
        else:
            self.breaker.returned(permit)
            if counts:
                self.reference.trial_out = False

    @rule()
    def probe(self) -> None:
        was_open = self.reference.state is Breaker.OPEN
        assert self.breaker.woken(self.now) is was_open
        if was_open:
            self.reference.enter(Breaker.HALF_OPEN)

    @invariant()
    def same_state(self) -> None:
        assert self.breaker.state(self.now) is self.reference.state
        end = self.breaker.opens_until(self.now)
        assert (end is not None) is (self.reference.state is Breaker.OPEN)
        if end is not None:
            assert end == self.reference.opened_at + self.reference.open_for
            assert end - self.now <= POLICY.open_cap_s

    @invariant()
    def at_most_one_trial(self) -> None:
        era = self.reference.era
        assert sum(1 for permit, lent in self.out if permit.trial and lent == era) <= 1


BreakerMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, suppress_health_check=[HealthCheck.filter_too_much]
)
TestBreakerMachine = BreakerMachine.TestCase


def failed_breaker(policy: BreakerPolicy = POLICY, now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(policy)
    for _ in range(policy.consecutive_failures):
        breaker.failed(breaker.lend(now), now, 0.0)
    return breaker


def test_it_stays_open_twice_as_long_after_each_failed_trial_up_to_the_cap() -> None:
    breaker, now, times = failed_breaker(), 0.0, []
    for _ in range(5):
        end = breaker.opens_until(now)
        times.append(end - now)
        now = end
        breaker.failed(breaker.lend(now), now, 0.0)
    assert times == [2, 4, 8, 10, 10]


def test_a_trial_that_succeeds_makes_the_next_opening_short_again() -> None:
    breaker = failed_breaker()
    breaker.failed(breaker.lend(2.0), 2.0, 0.0)
    assert breaker.opens_until(2.0) == 6.0
    assert breaker.succeeded(breaker.lend(6.0), 6.0)
    for _ in range(3):
        breaker.failed(breaker.lend(7.0), 7.0, 0.0)
    assert breaker.opens_until(7.0) == 9.0


def test_a_call_that_hung_through_opening_and_recovery_says_nothing_about_the_time_after() -> None:
    breaker = CircuitBreaker(POLICY)
    hanging = [breaker.lend(0.0) for _ in range(10)]
    for _ in range(3):
        breaker.failed(breaker.lend(0.0), 0.0, 0.0)
    breaker.succeeded(breaker.lend(2.0), 2.0)
    for permit in hanging:
        breaker.failed(permit, 3.0, 0.0)
    assert breaker.state(3.0) is Breaker.CLOSED


def test_a_breaker_that_never_closes_does_not_overflow() -> None:
    assert POLICY.open_time_s(100_000, 0.0) == 10


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_verdict_and_only_faults_of_the_provider_count(reason: Reason) -> None:
    verdict = verdict_of(CallReport(reason))
    assert (verdict is Verdict.FAULT) is (reason in FAULTS)
    assert verdict_of(CallReport(reason, finished=False)) is Verdict.NOTHING
    own = {Reason.BUDGET_EXHAUSTED, Reason.RATE_LIMITED, Reason.CIRCUIT_OPEN, Reason.UNSUPPORTED_CAPABILITY}
    assert verdict is Verdict.NOTHING or reason not in own


def test_what_the_main_outcomes_say() -> None:
    assert verdict_of(CallReport()) is Verdict.GOOD
    assert verdict_of(CallReport(Reason.CONTEXT_TOO_LONG)) is Verdict.GOOD
    assert verdict_of(CallReport(Reason.PROVIDER_RATE_LIMITED)) is Verdict.LIMITED
    assert verdict_of(CallReport(Reason.PROVIDER_REFUSED_KEY)) is Verdict.REFUSED
    assert verdict_of(CallReport(finished=False)) is Verdict.NOTHING
