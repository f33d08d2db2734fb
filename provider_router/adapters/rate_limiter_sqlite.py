"""Rate limits of all routers on one SQLite file.

One limit is one limit, however many routers there are. A bucket has a row from its first use on; there are as many as
there are deployments, users, keys and organisations with limits, so none is ever removed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from provider_router.domain.money.rate import Charge, changed, drained, wait_us
from shared.auth.principal import SERVICE_ORG
from shared.clock import Clock
from shared.errors import UpstreamDown
from shared.storage import GroupCommit

_MICRO = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

LEVEL = "SELECT taken, time_us FROM rate_levels WHERE bucket = ?"
PUT = (
    "INSERT INTO rate_levels (bucket, org_id, taken, time_us) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET taken = excluded.taken, time_us = excluded.time_us"
)


class SqliteRateLimiter:
    """Implements `RateLimiter`.

    Args:
        writer: Of the shared file.
        clock: Whose wall time counts, for the routers have no other in common. When it is set back, buckets refill
            from then on; when it is set forward, they refill by as much.
    """

    def __init__(self, writer: GroupCommit, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def acquire(self, charges: Sequence[Charge]) -> float:
        """See `RateLimiter.acquire`.

        Raises:
            UpstreamDown: The store cannot be written.
        """
        if not charges:
            return 0.0
        return await self._writer.run(lambda connection: self._acquired(connection, charges)) / _MICRO

    async def give_back(self, charges: Sequence[Charge]) -> None:
        """See `RateLimiter.give_back`."""
        if charges:
            # A store that is away is no reason to fail a call that is over; it comes back by itself within a minute.
            with suppress(UpstreamDown):
                await self._writer.run(lambda connection: self._given_back(connection, charges))

    def _acquired(self, connection: sqlite3.Connection, charges: Sequence[Charge]) -> int:
        """Take every charge, or none; returns the microseconds to wait."""
        now_us, wait = self._now_us(), 0
        taken: dict[str, int] = {}
        for charge in charges:
            name = charge.bucket.name
            before = taken[name] if name in taken else _taken(connection, charge, now_us)
            wait = max(wait, wait_us(before, charge))
            taken[name] = changed(before, charge.amount)
        if not wait:
            connection.executemany(PUT, [(name, SERVICE_ORG, amount, now_us) for name, amount in taken.items()])
        return wait

    def _given_back(self, connection: sqlite3.Connection, charges: Sequence[Charge]) -> None:
        now_us = self._now_us()
        for charge in charges:
            taken = changed(_taken(connection, charge, now_us), -charge.amount)
            connection.execute(PUT, (charge.bucket.name, SERVICE_ORG, taken, now_us))

    def _now_us(self) -> int:
        return (self._clock.now() - _EPOCH) // _MICROSECOND


def _taken(connection: sqlite3.Connection, charge: Charge, now_us: int) -> int:
    row = connection.execute(LEVEL, (charge.bucket.name,)).fetchone()
    return drained(row[0], now_us - row[1], charge.bucket.per_minute) if row else 0
