"""Circuit breakers in this process, bounded: a tool that never failed has none."""

from __future__ import annotations

import random
from collections import OrderedDict

from shared.circuit_breaker import Breaker, BreakerPolicy, CircuitBreaker, Permit
from shared.clock import Clock

_ALWAYS = Permit(0, trial=False)
_MOST = 10_000


class MemoryBreakerBoard:
    """Implements `BreakerBoard`, and lends the permits that calls need.

    Args:
        clock: tells when a breaker may be tried again.
        policy: when one opens, and for how long.
    """

    def __init__(self, clock: Clock, policy: BreakerPolicy) -> None:
        self._clock = clock
        self._policy = policy
        self._breakers: OrderedDict[tuple[str, str], CircuitBreaker] = OrderedDict()

    def state(self, org_id: str, tool: str) -> Breaker:
        """Return whether calls of `tool` go through for `org_id`."""
        breaker = self._breakers.get((org_id, tool))
        return breaker.state(self._clock.monotonic()) if breaker else Breaker.CLOSED

    def lend(self, org_id: str, tool: str) -> Permit | None:
        """Return leave for one call, to be given back by `succeeded`, `failed` or `returned`; None for no leave."""
        breaker = self._breakers.get((org_id, tool))
        return breaker.lend(self._clock.monotonic()) if breaker else _ALWAYS

    def opens_in_s(self, org_id: str, tool: str) -> float:
        """Return the seconds until a call may be tried; 0 while one is being tried."""
        breaker, now = self._breakers.get((org_id, tool)), self._clock.monotonic()
        until = breaker.opens_until(now) if breaker else None
        return max(0.0, until - now) if until is not None else 0.0

    def succeeded(self, org_id: str, tool: str, permit: Permit) -> None:
        """Note a success."""
        breaker = self._breakers.get((org_id, tool))
        if breaker and breaker.succeeded(permit, self._clock.monotonic()):
            del self._breakers[org_id, tool]

    def failed(self, org_id: str, tool: str, permit: Permit) -> bool:
        """Note a failure of the tool's own making; return whether it opened the breaker."""
        breaker = self._breakers.setdefault((org_id, tool), CircuitBreaker(self._policy))
        self._breakers.move_to_end((org_id, tool))
        while len(self._breakers) > _MOST:
            self._breakers.popitem(last=False)
        return breaker.failed(permit, self._clock.monotonic(), random.random())  # noqa: S311 - spreads trials, no secret

    def returned(self, org_id: str, tool: str, permit: Permit) -> None:
        """Take back the permit of a call that says nothing of the tool."""
        breaker = self._breakers.get((org_id, tool))
        if breaker:
            breaker.returned(permit)
