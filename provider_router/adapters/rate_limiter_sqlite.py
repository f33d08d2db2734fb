"""Rate limits of all routers on one SQLite file.

One limit is one limit, however many routers there are. A bucket has a row from its first use on; there are as many as
there are deployments, users, keys and organisations with limits, so none is ever removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from provider_router.adapters.rate_rows import RateRows
from provider_router.domain.money.rate import Charge
from shared.clock import Clock
from shared.errors import UpstreamDown
from shared.storage import GroupCommit

_MICRO = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqliteRateLimiter:
    """Implements `RateLimiter`.

    Args:
        writer: Of the shared file.
        clock: Whose wall time counts, for the routers have no other in common. When it is set back, buckets refill
            from then on; when it is set forward, they refill by as much.

    Attributes:
        notebook: Of `writer`, for operations that do more.
    """

    def __init__(self, writer: GroupCommit, clock: Clock) -> None:
        self.notebook = writer.notebook(RateRows)
        self._writer = writer
        self._clock = clock

    async def acquire(self, charges: Sequence[Charge]) -> float:
        """See `RateLimiter.acquire`.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        if not charges:
            return 0.0
        return await self._writer.note(lambda: self.taken(charges), self.notebook) / _MICRO

    async def give_back(self, charges: Sequence[Charge]) -> None:
        """See `RateLimiter.give_back`."""
        if charges:
            # A store that is away is no reason to fail a call that is over; it comes back by itself within a minute.
            try:
                self._writer.note_soon(lambda: self.put_back(charges), self.notebook)
            except UpstreamDown:
                return

    def taken(self, charges: Sequence[Charge]) -> int:
        """Takes every charge, or none; returns the microseconds to wait. For the writer to call."""
        return self.notebook.acquired(charges, self._now_us())

    def put_back(self, charges: Sequence[Charge]) -> None:
        """Returns what was taken. For the writer to call."""
        self.notebook.give_back(charges, self._now_us())

    def _now_us(self) -> int:
        """The time; one for all of a transaction."""
        if not self.notebook.time_us:
            self.notebook.time_us = (self._clock.now() - _EPOCH) // _MICROSECOND
        return self.notebook.time_us
