"""Calls of a day in the table `tool_days`, as the writer knows them."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from shared.storage.many_rows import ManyRows

_READ = "SELECT calls FROM tool_days WHERE org_id = ? AND tool = ? AND day = ?"
_WRITE = ManyRows(
    "INSERT INTO tool_days (org_id, tool, day, calls) VALUES {rows}"
    " ON CONFLICT (org_id, tool, day) DO UPDATE SET calls = excluded.calls",
    "(?, ?, ?, ?)",
)
_MOST_KNOWN = 10_000


class DayKey(NamedTuple):
    """An organisation's calls of a tool on a day, `YYYY-MM-DD`."""

    org_id: str
    tool: str
    day: str


class DayCounts:
    """A `Notebook`."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._generation = -1
        self._known: dict[DayKey, int] = {}
        self._changed: set[DayKey] = set()

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        """See `Notebook.begin`."""
        self._connection = connection
        self._changed.clear()
        if generation != self._generation or len(self._known) > _MOST_KNOWN:
            self._generation = generation
            self._known.clear()

    def end(self) -> None:
        """See `Notebook.end`."""
        if self._changed and self._connection is not None:
            _WRITE.execute(self._connection, [(*key, self._known[key]) for key in self._changed])
            self._changed.clear()

    def calls(self, key: DayKey) -> int:
        """Return how many were counted."""
        calls = self._known.get(key)
        if calls is None:
            row = self._connection.execute(_READ, key).fetchone() if self._connection else None
            calls = self._known[key] = row[0] if row else 0
        return calls

    def count(self, key: DayKey, most: int) -> bool:
        """Count one call, unless there are `most` already (0 for any number); return whether it was counted."""
        calls = self.calls(key)
        if most and calls >= most:
            return False
        self._known[key] = calls + 1
        self._changed.add(key)
        return True
