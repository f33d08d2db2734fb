"""A call's way along its fallback chain: which service is next, and how often each may still be tried."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision import Control, Link
from provider_router.domain.traffic.retry import Move


@dataclass(slots=True, eq=False)
class Stop:
    """One service on the way.

    Attributes:
        link: Of the decision.
        service: That it names.
        tries_left: How often it may still be tried.
        failures: Of it, in this call.
        waits: Pauses since its last attempt.
        tried: Where it was called.
    """

    link: Link
    service: Service
    tries_left: int
    failures: int = 0
    waits: int = 0
    tried: tuple[Target, ...] = ()


class ChainWalk:
    """Ends: every attempt uses up a try, and what is not an attempt removes its stop.

    Args:
        control: Of the decision.
        services: Of the snapshot that was decided on; a link without a service is passed over.
    """

    def __init__(self, control: Control, services: Mapping[str, Service]) -> None:
        self._stops = deque(
            Stop(link, services[link.service], link.tries) for link in control.chain if link.service in services
        )
        self._attempts_left = control.max_attempts

    @property
    def current(self) -> Stop | None:
        """The stop to try now; None when nothing is left to try."""
        return self._stops[0] if self._stops and self._attempts_left > 0 else None

    @property
    def beside(self) -> Stop | None:
        """The stop that could be tried beside the current one; None without one."""
        return self._stops[1] if len(self._stops) > 1 and self._attempts_left > 0 else None

    def has_another(self, stop: Stop) -> bool:
        """Whether a stop other than `stop` is left."""
        return self._attempts_left > 0 and any(each is not stop for each in self._stops)

    def began(self, stop: Stop, target: Target) -> None:
        """Notes that an attempt is made at `target`."""
        self._attempts_left -= 1
        stop.tries_left -= 1
        stop.waits = 0
        stop.tried = (*stop.tried, target)

    def failed(self, stop: Stop, move: Move) -> None:
        """Notes that an attempt failed, and goes where `move` says."""
        stop.failures += 1
        if stop not in self._stops:
            return
        if stop.tries_left < 1 or move is Move.ON:
            self._stops.remove(stop)
        elif move is Move.LATER:
            self._stops.remove(stop)
            self._stops.append(stop)

    def drop(self, stop: Stop) -> None:
        """Gives a stop up without an attempt. Idempotent."""
        if stop in self._stops:
            self._stops.remove(stop)

    def drop_all_but(self, kept: frozenset[str]) -> None:
        """Gives up every stop whose service is not in `kept`."""
        self._stops = deque(stop for stop in self._stops if stop.service.name in kept)

    def services(self) -> tuple[Service, ...]:
        """The services that are left, in their order."""
        return tuple(stop.service for stop in self._stops)
