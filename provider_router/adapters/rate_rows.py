"""What is taken of every bucket: the rows of rate limits, noted by many calls and written once a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from provider_router.domain.money.rate import Charge, changed, drained, wait_us
from shared.auth.principal import SERVICE_ORG
from shared.storage import ManyRows

LEVEL = "SELECT taken, time_us FROM rate_levels WHERE bucket = ?"
PUT = ManyRows(
    "INSERT INTO rate_levels (bucket, org_id, taken, time_us) VALUES {rows} "
    "ON CONFLICT DO UPDATE SET taken = excluded.taken, time_us = excluded.time_us",
    "(?, ?, ?, ?)",
)
_MOST_KNOWN = 20_000
_UNUSED = (0, 0)


class RateRows:
    """Implements `Notebook`. Levels are what was taken, and when that was so, in microseconds.

    Attributes:
        time_us: For whoever keeps the time of a transaction; 0 when it begins.
    """

    def __init__(self) -> None:
        self.time_us = 0
        self._connection: sqlite3.Connection | None = None
        self._generation = -1
        self._levels: dict[str, tuple[int, int]] = {}
        self._changed: set[str] = set()

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        """See `Notebook.begin`."""
        self._connection = connection
        self.time_us = 0
        self._changed.clear()
        if generation != self._generation or len(self._levels) > _MOST_KNOWN:
            self._generation = generation
            self._levels.clear()

    def end(self) -> None:
        """See `Notebook.end`."""
        if self._changed and self._connection is not None:
            PUT.execute(self._connection, [(name, SERVICE_ORG, *self._levels[name]) for name in self._changed])
            self._changed.clear()

    def acquired(self, charges: Sequence[Charge], now_us: int) -> int:
        """Takes every charge, or none; returns the microseconds to wait."""
        wait = 0
        taken: dict[str, int] = {}
        for charge in charges:
            name = charge.bucket.name
            before = taken[name] if name in taken else self._taken(charge, now_us)
            wait = max(wait, wait_us(before, charge))
            taken[name] = changed(before, charge.amount)
        if not wait:
            for name, amount in taken.items():
                self._put(name, amount, now_us)
        return wait

    def give_back(self, charges: Sequence[Charge], now_us: int) -> None:
        """Returns what was taken."""
        for charge in charges:
            self._put(charge.bucket.name, changed(self._taken(charge, now_us), -charge.amount), now_us)

    def _put(self, name: str, taken: int, now_us: int) -> None:
        self._levels[name] = (taken, now_us)
        self._changed.add(name)

    def _taken(self, charge: Charge, now_us: int) -> int:
        name = charge.bucket.name
        level = self._levels.get(name)
        if level is None:
            level = self._levels[name] = self._read(name)
        return drained(level[0], now_us - level[1], charge.bucket.per_minute)

    def _read(self, name: str) -> tuple[int, int]:
        if self._connection is None:
            return _UNUSED
        return self._connection.execute(LEVEL, (name,)).fetchone() or _UNUSED
