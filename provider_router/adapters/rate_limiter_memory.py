"""Rate limits of one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from provider_router.domain.money.rate import Charge, changed, drained, wait_us
from shared.clock import Clock

_MICRO = 1_000_000
_LOOKED_AT = 2


class MemoryRateLimiter:
    """Implements `RateLimiter` for a router that is alone. Several routers share limits by `SqliteRateLimiter`.

    A bucket is forgotten when it is full again, for then it is as if it had never been used, and at no other time. Each
    new bucket looks at two older ones for that, so that memory is bounded by the buckets in use.

    Args:
        clock: Whose monotonic time counts.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # What is taken, when that was so, and how fast it comes back.
        self._levels: dict[str, tuple[int, int, int]] = {}
        self._order: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._levels)

    async def acquire(self, charges: Sequence[Charge]) -> float:
        """See `RateLimiter.acquire`."""
        if not charges:
            return 0.0
        now_us, wait = self._now_us(), 0
        taken: dict[str, int] = {}
        for charge in charges:
            name = charge.bucket.name
            before = taken[name] if name in taken else self._taken(charge, now_us)
            wait = max(wait, wait_us(before, charge))
            taken[name] = changed(before, charge.amount)
        if wait:
            return wait / _MICRO
        for charge in charges:
            self._put(charge, taken[charge.bucket.name], now_us)
        return 0.0

    async def give_back(self, charges: Sequence[Charge]) -> None:
        """See `RateLimiter.give_back`."""
        now_us = self._now_us()
        for charge in charges:
            self._put(charge, changed(self._taken(charge, now_us), -charge.amount), now_us)

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * _MICRO)

    def _taken(self, charge: Charge, now_us: int) -> int:
        """What is taken of the bucket now; nothing of one that nobody used."""
        level = self._levels.get(charge.bucket.name)
        return drained(level[0], now_us - level[1], charge.bucket.per_minute) if level else 0

    def _put(self, charge: Charge, taken: int, now_us: int) -> None:
        name = charge.bucket.name
        if name not in self._levels:
            self._forget_full(now_us)
            self._order.append(name)
        self._levels[name] = (taken, now_us, charge.bucket.per_minute)

    def _forget_full(self, now_us: int) -> None:
        for _ in range(min(_LOOKED_AT, len(self._order))):
            name = self._order.popleft()
            taken, time_us, per_minute = self._levels[name]
            if drained(taken, now_us - time_us, per_minute):
                self._order.append(name)
            else:
                del self._levels[name]
