"""Chooses among the deployments of a service, and among their keys.

Deployments take turns in proportion to their weights (smooth weighted round robin, as in nginx: each gains its weight,
the one that has gained most is chosen and loses the sum). Only those take part that are not busier than their share:
`in_flight < (calls of all + 1) * weight / weights of all`. There always is one, the shares add up to one call more than
there are. So weights hold exactly while all are equally fast, and a slow deployment is given no more than its share
while its calls pile up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from provider_router.domain.contracts.provider import Deployment, Target
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.key_health import KeyHealth
from provider_router.domain.traffic.lease import Unavailable
from provider_router.domain.traffic.station import KeyOf, Loan, Station

_RANKS = {
    Reason.DEPLOYMENTS_BUSY: 0,
    Reason.PROVIDER_RATE_LIMITED: 1,
    Reason.CIRCUIT_OPEN: 1,
    Reason.PROVIDER_REFUSED_KEY: 2,
    Reason.PROVIDER_NOT_CONFIGURED: 3,
}
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a deployment may not be called, and until when in seconds of the clock; None when nobody knows."""

    reason: Reason
    until: float | None = None

    @property
    def rank(self) -> tuple[int, float]:
        """Less for what is over sooner."""
        return _RANKS[self.reason], _NEVER if self.until is None else self.until


@dataclass(frozen=True, slots=True)
class Berth:
    """A station as one snapshot of the configuration has it: the same state, this snapshot's weight and keys.

    Attributes:
        station: The state.
        deployment: As it is configured.
        targets: One a key, or one without a key.
    """

    station: Station
    deployment: Deployment
    targets: tuple[Target, ...]

    def key_of(self, target: Target) -> KeyHealth:
        """The state of the key of `target`."""
        return self.station.keys[target.key_env]

    def is_usable(self, target: Target, now: float, key_of: KeyOf) -> bool:
        """Whether the key of `target` is there and was not retired."""
        key = key_of(target)
        return key is not None and not self.key_of(target).is_retired(now, hash(key))

    def obstacle(self, now: float, key_of: KeyOf) -> Obstacle | None:
        """What stands against a call; None when nothing does."""
        without_key = self._without_key(now, key_of)
        if without_key is not None:
            return without_key
        station = self.station
        if now < station.paused_until:
            return Obstacle(Reason.PROVIDER_RATE_LIMITED, station.paused_until)
        if not station.breaker.lends(now):
            return Obstacle(Reason.CIRCUIT_OPEN, station.breaker.opens_until(now))
        if 0 < self.deployment.max_in_flight <= station.site.in_flight:
            return Obstacle(Reason.DEPLOYMENTS_BUSY, now + station.site.next_place_s())
        return None

    def ready_target(self, now: float, key_of: KeyOf, avoided: Collection[Target]) -> Target | None:
        """The next key in turn that is ready, those of `avoided` last; None when none is."""
        count, first = len(self.targets), self.station.next_key
        spare: Target | None = None
        for offset in range(count):
            index = (first + offset) % count
            target = self.targets[index]
            if now < self.key_of(target).cooling_until or not self.is_usable(target, now, key_of):
                continue
            if target in avoided:
                spare = spare or target
                continue
            self.station.next_key = index + 1
            return target
        return spare

    def _without_key(self, now: float, key_of: KeyOf) -> Obstacle | None:
        cooling, retired = _NEVER, _NEVER
        for target in self.targets:
            key, health = key_of(target), self.key_of(target)
            if key is None:
                continue
            if health.is_retired(now, hash(key)):
                retired = min(retired, health.retired_until)
            elif now < health.cooling_until:
                cooling = min(cooling, health.cooling_until)
            else:
                return None
        if cooling < _NEVER:
            return Obstacle(Reason.PROVIDER_RATE_LIMITED, cooling)
        if retired < _NEVER:
            return Obstacle(Reason.PROVIDER_REFUSED_KEY, retired)
        return Obstacle(Reason.PROVIDER_NOT_CONFIGURED)


def lent(service: str, berths: Sequence[Berth], now: float, key_of: KeyOf, tried: Collection[Target]) -> Loan | None:
    """Lends a place at the best of `berths`; None when `unavailable` says why there is none.

    Deployments that were not tried go first, then other keys of those that were, then those once more.
    """
    open_berths = [berth for berth in berths if berth.obstacle(now, key_of) is None]
    if not open_berths:
        return None
    berth = _in_turn(_untried(open_berths, now, key_of, tried) if tried else open_berths)
    target = berth.ready_target(now, key_of, tried)
    key = key_of(target) if target else None
    return berth.station.lend(service, target, now, key) if target and key is not None else None


def unavailable(berths: Sequence[Berth], now: float, key_of: KeyOf) -> Unavailable:
    """Why none of `berths` may be called now: what stands against the one that may be called soonest."""
    obstacles = [(obstacle, berth) for berth in berths if (obstacle := berth.obstacle(now, key_of)) is not None]
    if not obstacles:
        return Unavailable(Reason.PROVIDER_NOT_CONFIGURED)
    nearest, berth = min(obstacles, key=lambda each: each[0].rank)
    wait_s = None if nearest.until is None else max(0.0, nearest.until - now)
    cause = berth.station.last_reason if nearest.reason is Reason.CIRCUIT_OPEN else ""
    return Unavailable(nearest.reason, wait_s, cause)


def _untried(berths: Sequence[Berth], now: float, key_of: KeyOf, tried: Collection[Target]) -> Sequence[Berth]:
    names = {target.deployment.name for target in tried}
    untried = [berth for berth in berths if berth.deployment.name not in names]
    if untried:
        return untried
    fresh_keys = [
        berth
        for berth in berths
        if any(
            target not in tried and now >= berth.key_of(target).cooling_until and berth.is_usable(target, now, key_of)
            for target in berth.targets
        )
    ]
    return fresh_keys or berths


def _in_turn(berths: Sequence[Berth]) -> Berth:
    if len(berths) == 1:
        return berths[0]
    weights = sum(berth.deployment.weight for berth in berths)
    calls = 1 + sum(berth.station.site.in_flight for berth in berths)
    fair = [berth for berth in berths if berth.station.site.in_flight * weights < calls * berth.deployment.weight]
    for berth in fair:
        berth.station.turn += berth.deployment.weight
    chosen = max(fair, key=lambda berth: berth.station.turn)
    chosen.station.turn -= sum(berth.deployment.weight for berth in fair)
    return chosen
