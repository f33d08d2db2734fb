"""One model at one deployment: its breaker, its keys, its measurements, its calls in flight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from provider_router.domain.contracts.provider import Target
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.call_verdict import Verdict, verdict_of
from provider_router.domain.traffic.call_window import CallWindow, tokens_per_second
from provider_router.domain.traffic.key_health import KeyHealth, PausePolicy
from provider_router.domain.traffic.lease import CallReport, Lease
from shared.circuit_breaker import Breaker, BreakerPolicy, CircuitBreaker, Permit
from shared.value import value

KeyOf: TypeAlias = Callable[[Target], str | None]
"""`ports.credentials.Credentials.key_of`."""

_FIRST_WAIT_S = 0.25
_MEAN_SHARE = 0.1
_EXCUSED_OUTAGES = 3
"""Within the window."""


class Effect(StrEnum):
    """What a report changed, for logs and metrics."""

    OPENED = "opened"
    CLOSED = "closed"
    KEY_RETIRED = "key_retired"
    COOLED = "cooled"


@value
class HealthPolicy:
    """How health is kept."""

    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    pauses: PausePolicy = field(default_factory=PausePolicy)


@dataclass(slots=True)
class Site:
    """What the models of one deployment share: its places.

    Attributes:
        in_flight: Calls at once, of all its models.
        mean_s: How long its calls take, as a moving average; 0 before the first.
    """

    in_flight: int = 0
    mean_s: float = 0.0

    def next_place_s(self) -> float:
        """When one of the calls in flight may be over, were they spread evenly over their duration."""
        return max(0.05, self.mean_s / max(1, self.in_flight)) if self.mean_s else _FIRST_WAIT_S

    def took(self, duration_s: float) -> None:
        """Notes how long a call took."""
        self.mean_s += (duration_s - self.mean_s) * (_MEAN_SHARE if self.mean_s else 1)


@value
class Moment:
    """When a report came: both clocks, and a random number in 0 to 1."""

    monotonic: float
    time: datetime
    jitter: float


@value
class Loan:
    """What the lender keeps of a lease. `fingerprint` is that of the key, see `KeyHealth`."""

    lease: Lease
    station: Station
    key: KeyHealth
    permit: Permit
    fingerprint: int


@dataclass(slots=True)
class Station:
    """One model at one deployment.

    Attributes:
        site: What it shares with the other models of the deployment.
        policy: How its health is kept.
        breaker: Its circuit breaker.
        window: What was measured of its calls.
        keys: By environment variable.
        in_flight: Calls at once.
        turn: Its place in the smooth weighted turn, see `balance`.
        next_key: Which key is next.
        paused_until: Since the provider said when it can be called again.
        called_time: When its last call ended that said something; None before the first.
        last_reason: Why that, or the last probe of one that was never called, failed; empty when it worked.
        is_probed: Whether a probe said how it is.
        is_there: Whether the last probe was answered.
        failing_since: When the first call failed after which none succeeded; None while the last one did.
        seems_back: Whether a probe was answered since a call failed last; None before there was one.
        broken_promises: As they were last seen.
        outages: When those began that are over as far as anybody knows, within the window, the newest last. Their
            failures are excused: decisions do not hold them against a deployment, unless it had too many outages.
    """

    site: Site
    policy: HealthPolicy
    breaker: CircuitBreaker
    window: CallWindow = field(default_factory=CallWindow)
    keys: dict[str, KeyHealth] = field(default_factory=dict[str, KeyHealth])
    in_flight: int = 0
    turn: int = 0
    next_key: int = 0
    paused_until: float = 0.0
    called_time: datetime | None = None
    last_reason: str = ""
    is_probed: bool = False
    is_there: bool = False
    failing_since: float | None = None
    seems_back: bool | None = None
    broken_promises: tuple[str, ...] = ()
    outages: tuple[float, ...] = ()

    @property
    def seems_away(self) -> bool:
        """Whether it was never called, and probes say that it is not there."""
        return self.called_time is None and self.is_probed and not self.is_there

    def lend(self, service: str, target: Target, now: float, key: str) -> Loan | None:
        """Lends one place, with the key of `target`; None when the breaker does not let it through."""
        permit = self.breaker.lend(now)
        if permit is None:
            return None
        self.in_flight += 1
        self.site.in_flight += 1
        lease = Lease(service, target, permit.trial)
        return Loan(lease, self, self.keys[target.key_env], permit, hash(key))

    def settle(self, loan: Loan, report: CallReport, moment: Moment) -> tuple[Effect, ...]:
        """Takes the place of `loan` back, once, and learns from the report. Returns what it changed."""
        self.in_flight -= 1
        self.site.in_flight -= 1
        verdict = verdict_of(report)
        if verdict is Verdict.GOOD or verdict is Verdict.FAULT:
            return self._worked_or_failed(loan, report, moment, good=verdict is Verdict.GOOD)
        self.breaker.returned(loan.permit)
        if verdict is Verdict.NOTHING:
            return ()
        self._note(report, moment)
        if verdict is Verdict.LIMITED:
            begins = loan.key.cool(moment.monotonic, report.retry_after_s, self.policy.pauses)
            return (Effect.COOLED,) if begins else ()
        retired = loan.key.retire(moment.monotonic, loan.fingerprint, self.policy.pauses)
        return (Effect.KEY_RETIRED,) if retired else ()

    def probed(self, reason: Reason | None, now: float, *, is_there: bool) -> bool:
        """Learns from a probe; returns whether decisions shall know at once.

        A probe says less than a call: it never closes or opens a breaker, and its `reason`, which may be other than
        None for a server that `is_there`, counts only until the first call.
        """
        was_away, self.is_probed, self.is_there = self.seems_away, True, is_there
        if self.called_time is None:
            # Servers that only lack the list that was asked for are not shown as failing.
            shown = reason if not is_there or reason is Reason.PROVIDER_REFUSED_KEY else None
            self.last_reason = shown.value if shown else ""
        if self.breaker.state(now) is Breaker.CLOSED and self.failing_since is None:
            return self.seems_away is not was_away
        is_news, self.seems_back = self.seems_back is not is_there, is_there
        if is_there:
            self._excuse_outage(now)
            self.breaker.woken(now)
        return is_news

    def _worked_or_failed(self, loan: Loan, report: CallReport, moment: Moment, *, good: bool) -> tuple[Effect, ...]:
        """Learns from a call in which the provider did its work, or did not."""
        now = moment.monotonic
        first, speed = None, None
        if report.reason is None:
            # The caller's faults are answered at once, without a token: they say nothing about time.
            first = report.first_token_ms
            speed = tokens_per_second(report.output_tokens, first, report.duration_ms)
            self.site.took(report.duration_ms / 1000)
        self.window.add(now, good=good, first_token_ms=first, speed=speed)
        if good:
            if report.reason is None:
                self._note(report, moment)
                loan.key.worked(now)
            closed = self.breaker.succeeded(loan.permit, now)
            if closed:
                self._excuse_outage(now)
            self.failing_since = None
            return (Effect.CLOSED,) if closed else ()
        self._note(report, moment)
        self.failing_since = now if self.failing_since is None else self.failing_since
        self.seems_back = None
        effects: tuple[Effect, ...] = ()
        if report.retry_after_s and report.reason is Reason.PROVIDER_ERROR:
            effects = (Effect.COOLED,) if now >= self.paused_until else ()
            self.paused_until = max(self.paused_until, now + report.retry_after_s)
        opened = self.breaker.failed(loan.permit, now, moment.jitter)
        return (*effects, Effect.OPENED) if opened else effects

    def _excuse_outage(self, now: float) -> None:
        began = now if self.failing_since is None else self.failing_since
        recent = tuple(each for each in self.outages if now - each < self.window.length_s and each != began)
        self.outages = (*recent, began)
        # Who fails again and again is judged by what was measured.
        if len(self.outages) <= _EXCUSED_OUTAGES:
            self.window.excuse(now, now - began + self.policy.breaker.window_s)

    def _note(self, report: CallReport, moment: Moment) -> None:
        self.called_time = moment.time
        self.last_reason = report.reason.value if report.reason else ""
