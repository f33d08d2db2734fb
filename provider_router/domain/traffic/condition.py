"""How a service is at one moment, over all its deployments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.traffic.balance import Berth
from provider_router.domain.traffic.station import KeyOf, Station
from shared.circuit_breaker import Breaker

_BEST_FIRST = (Breaker.CLOSED, Breaker.HALF_OPEN, Breaker.OPEN)
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Condition:
    """What decisions need to know at once.

    Attributes:
        configured: Whether a key that it needs is there and was not retired.
        breaker: Of the best deployment that has a key; half open while its trial is under way, or it seems still away.
        cooling: Whether every deployment that has a key waits for a time to pass.
        keys_refused: Whether it is not configured, and there is a key: it was refused.
        until: When the passing of time alone changes it; infinite for never.
    """

    configured: bool
    breaker: Breaker
    cooling: bool
    keys_refused: bool
    until: float


def condition_of(berths: Sequence[Berth], now: float, key_of: KeyOf) -> Condition:
    """The condition of the service that has `berths`, at least one."""
    if all(_is_calm(berth, now, key_of) for berth in berths):
        return _CALM
    usable = [berth for berth in berths if any(berth.is_usable(target, now, key_of) for target in berth.targets)]
    states = {_shown(berth.station, now) for berth in usable or berths}
    return Condition(
        configured=bool(usable),
        breaker=next(state for state in _BEST_FIRST if state in states),
        cooling=bool(usable) and all(_is_cooling(berth, now, key_of) for berth in usable),
        keys_refused=not usable and any(key_of(target) is not None for berth in berths for target in berth.targets),
        until=min((time for berth in berths for time in pauses_of(berth, now)), default=_NEVER),
    )


_CALM = Condition(configured=True, breaker=Breaker.CLOSED, cooling=False, keys_refused=False, until=_NEVER)


def _shown(station: Station, now: float) -> Breaker:
    """How decisions see a breaker: one that waits for its trial is to be called like one that is closed.

    Little is risked: one call goes there, and if that fails it goes on with the next link. Where probes say that the
    deployment is still away, not even that; one that was never called is seen like those that wait, then.
    """
    state = station.breaker.state(now)
    if state is Breaker.CLOSED and station.seems_away:
        return Breaker.HALF_OPEN
    waits = state is Breaker.HALF_OPEN and station.breaker.lends(now)
    return Breaker.CLOSED if waits and station.seems_back is not False else state


def load_of(berths: Iterable[Berth]) -> int:
    """Calls in flight against the places of all deployments, in millionths; 0 when one has no limit."""
    in_flight, places = 0, 0
    for berth in berths:
        if not berth.deployment.max_in_flight:
            return 0
        in_flight += berth.station.site.in_flight
        places += berth.deployment.max_in_flight
    return min(PPM, in_flight * PPM // places) if places else 0


def pauses_of(berth: Berth, now: float) -> list[float]:
    """The times after `now` at which something that keeps calls away ends."""
    station = berth.station
    ends = [station.paused_until, station.breaker.opens_until(now) or 0.0]
    for target in berth.targets:
        key = berth.key_of(target)
        ends += (key.cooling_until, key.retired_until)
    return [end for end in ends if end > now]


def paused_until(berth: Berth, now: float, key_of: KeyOf) -> float | None:
    """Until when the deployment is given no call: its breaker's time, or a rate limit's; None when it is given some.

    A deployment without a usable key is not paused: no time repairs it that anybody knows.
    """
    station = berth.station
    ends = [end for end in (station.paused_until, station.breaker.opens_until(now)) if end is not None and end > now]
    keys = [berth.key_of(target) for target in berth.targets if berth.is_usable(target, now, key_of)]
    if keys and all(key.cooling_until > now for key in keys):
        ends.append(min(key.cooling_until for key in keys))
    return max(ends, default=None)


def _is_calm(berth: Berth, now: float, key_of: KeyOf) -> bool:
    """Whether nothing at all is the matter, which is quickly seen and mostly so."""
    station = berth.station
    if now < station.paused_until or station.breaker.state(now) is not Breaker.CLOSED or station.seems_away:
        return False
    for target in berth.targets:
        key = berth.key_of(target)
        if now < key.cooling_until or now < key.retired_until or key_of(target) is None:
            return False
    return True


def _is_cooling(berth: Berth, now: float, key_of: KeyOf) -> bool:
    if now < berth.station.paused_until:
        return True
    return all(
        now < berth.key_of(target).cooling_until for target in berth.targets if berth.is_usable(target, now, key_of)
    )
