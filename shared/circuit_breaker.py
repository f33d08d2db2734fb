"""The circuit breaker: keeps calls away from something that fails, and lets one through to see whether it is back.

A state machine without a clock: every method takes `now`, in seconds of a clock that never goes back.

    closed     --  too many failures              ->  open
    open       --  its time is over, or a probe   ->  half-open
    half-open  --  the trial succeeds             ->  closed
    half-open  --  the trial fails                ->  open, for twice as long
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from shared.value import value

_PPM = 1_000_000


class Breaker(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


@value
class BreakerPolicy:
    """When a breaker opens, and for how long.

    Attributes:
        consecutive_failures: It opens on so many failures in a row, at least 1.
        failure_share_ppm: It opens when at least this share of the window's calls failed.
        min_calls: Calls in the window below which their share says nothing.
        slice_s: The window slides in steps of so many seconds.
        slices: How many steps the window has, the current one included.
        open_s: How long it stays open at first.
        open_cap_s: The longest time that it stays open.
        jitter_share: By how much of its time it may close sooner, so that many routers do not try at one moment.
    """

    consecutive_failures: int = 5
    failure_share_ppm: int = _PPM // 2
    min_calls: int = 20
    slice_s: float = 3.0
    slices: int = 10
    open_s: float = 5.0
    open_cap_s: float = 120.0
    jitter_share: float = 0.25

    @property
    def window_s(self) -> float:
        """How far back its window reaches."""
        return self.slice_s * self.slices

    def open_time_s(self, openings: int, jitter: float) -> float:
        """How long it stays open the `openings`th time in a row (from 1); `jitter` is in 0 to 1."""
        # The exponent is capped, so that the power of a breaker that never closes does not overflow.
        longest = min(self.open_cap_s, self.open_s * 2.0 ** min(openings - 1, 64))
        return longest * (1 - self.jitter_share * jitter)


@value
class Permit:
    """Leave to make one call, as of one period between two changes of a breaker; `trial` when it decides."""

    period: int
    trial: bool


@dataclass(slots=True)
class _Slice:
    """Calls of one step of the window."""

    number: int
    calls: int = 0
    failures: int = 0


@dataclass(slots=True)
class _Window:
    """Calls and failures of the last slices."""

    slices: deque[_Slice] = field(default_factory=deque[_Slice])
    calls: int = 0
    failures: int = 0

    def add(self, number: int, *, kept: int, failed: bool) -> None:
        """Counts one call in slice `number`, and forgets slices that are `kept` or more behind it."""
        while self.slices and self.slices[0].number <= number - kept:
            old = self.slices.popleft()
            self.calls -= old.calls
            self.failures -= old.failures
        if not self.slices or self.slices[-1].number != number:
            self.slices.append(_Slice(number))
        self.slices[-1].calls += 1
        self.slices[-1].failures += failed
        self.calls += 1
        self.failures += failed


class CircuitBreaker:
    """One breaker. Not shared between threads.

    Only calls that were lent since its last change count: a call that hung through an opening and a recovery says
    nothing about the time after it.
    """

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._state = Breaker.CLOSED
        self._permit = Permit(0, trial=False)
        self._failures_in_a_row = 0
        self._window = _Window()
        self._openings = 0
        self._open_until = 0.0
        self._trial_is_out = False

    def state(self, now: float) -> Breaker:
        """How it is at `now`."""
        if self._state is Breaker.OPEN and now >= self._open_until:
            return Breaker.HALF_OPEN
        return self._state

    def opens_until(self, now: float) -> float | None:
        """When it becomes half-open; None when it is not open."""
        return self._open_until if self.state(now) is Breaker.OPEN else None

    def lends(self, now: float) -> bool:
        """Whether `lend` would give a permit."""
        if self._state is Breaker.CLOSED:
            return True
        return self.state(now) is Breaker.HALF_OPEN and not self._trial_is_out

    def lend(self, now: float) -> Permit | None:
        """Leave for one call; None when it is open, or half-open with a trial under way.

        Each permit comes back once, by `succeeded`, `failed` or `returned`.
        """
        if self._state is Breaker.CLOSED:
            return self._permit
        if not self.lends(now):
            return None
        if self._state is Breaker.OPEN:
            self._change(Breaker.HALF_OPEN)
        self._trial_is_out = True
        return self._permit

    def succeeded(self, permit: Permit, now: float) -> bool:
        """Notes a success; returns whether it closed the breaker."""
        if permit.period != self._permit.period:
            return False
        if permit.trial:
            self._openings = 0
            self._change(Breaker.CLOSED)
            return True
        self._failures_in_a_row = 0
        self._window.add(self._slice_of(now), kept=self._policy.slices, failed=False)
        return False

    def failed(self, permit: Permit, now: float, jitter: float) -> bool:
        """Notes a failure; returns whether it opened the breaker. `jitter` is random, in 0 to 1."""
        if permit.period != self._permit.period:
            return False
        if not permit.trial:
            self._failures_in_a_row += 1
            self._window.add(self._slice_of(now), kept=self._policy.slices, failed=True)
            if not self._is_too_much():
                return False
        self._openings += 1
        self._open_until = now + self._policy.open_time_s(self._openings, jitter)
        self._change(Breaker.OPEN)
        return True

    def returned(self, permit: Permit) -> None:
        """Takes back a permit whose call says nothing; another call may be the trial."""
        if permit.trial and permit.period == self._permit.period:
            self._trial_is_out = False

    def woken(self, now: float) -> bool:
        """Makes an open breaker half-open before its time, since a probe was answered; returns whether it was open."""
        if self.state(now) is not Breaker.OPEN:
            return False
        self._open_until = now
        return True

    def _is_too_much(self) -> bool:
        policy, window = self._policy, self._window
        if self._failures_in_a_row >= policy.consecutive_failures:
            return True
        return window.calls >= policy.min_calls and window.failures * _PPM >= policy.failure_share_ppm * window.calls

    def _change(self, state: Breaker) -> None:
        self._state = state
        self._permit = Permit(self._permit.period + 1, trial=state is Breaker.HALF_OPEN)
        self._failures_in_a_row = 0
        self._window = _Window()
        self._trial_is_out = False

    def _slice_of(self, now: float) -> int:
        return int(now // self._policy.slice_s)
