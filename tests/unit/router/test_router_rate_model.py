"""The rate limiter against the definition of a token bucket in exact fractions, over histories that are made up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit

RATES = {"a": 1, "b": 7, "c": 60, "d": 1000}
charges = st.lists(st.tuples(st.sampled_from(sorted(RATES)), st.integers(1, 150)), unique_by=lambda each: each[0])


class RateMachine(RuleBasedStateMachine):
    """Buckets are taken from and given back to while time passes, by microseconds and by minutes."""

    @initialize()
    def begin(self) -> None:
        self.now_us = 0
        self.limiter = MemoryRateLimiter(self)
        self.held = {name: Fraction(rate) for name, rate in RATES.items()}

    def now(self) -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.now_us / 1_000_000

    @rule(chosen=charges)
    def acquire(self, chosen: list[tuple[str, int]]) -> None:
        wait_s = asyncio.run(self.limiter.acquire([self._charge(*each) for each in chosen]))
        missing = {name: min(amount, RATES[name]) - self.held[name] for name, amount in chosen}
        waits = [Fraction(amount * 60, RATES[name]) for name, amount in missing.items() if amount > 0]
        if not waits:
            assert wait_s == 0
            for name, amount in chosen:
                self.held[name] -= amount
        else:
            # The exact wait, rounded up to a microsecond.
            assert 0 <= Fraction(round(wait_s * 1_000_000), 1_000_000) - max(waits) < Fraction(1, 1_000_000)

    @rule(name=st.sampled_from(sorted(RATES)), amount=st.integers(-50, 50))
    def give_back(self, name: str, amount: int) -> None:
        asyncio.run(self.limiter.give_back([self._charge(name, amount)]))
        self.held[name] = min(Fraction(RATES[name]), self.held[name] + amount)

    @rule(passed_us=st.integers(0, 2_000_000) | st.integers(0, 300_000_000))
    def wait(self, passed_us: int) -> None:
        self.now_us += passed_us
        for name, rate in RATES.items():
            self.held[name] = min(Fraction(rate), self.held[name] + Fraction(passed_us * rate, 60_000_000))

    @invariant()
    def no_bucket_is_kept_twice(self) -> None:
        assert len(self.limiter) <= len(RATES)

    def _charge(self, name: str, amount: int) -> Charge:
        return Charge(Bucket(Scope.USER, name, Unit.TOKENS, RATES[name]), amount)


TestRateModel = RateMachine.TestCase
TestRateModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
