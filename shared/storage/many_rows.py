"""Statements over many rows at once: one execution for all of them, where `executemany` has one for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any

_MOST_AT_ONCE = 64
"""A statement is prepared for each power of two up to this one, and kept by the connection."""


class ManyRows:
    """A statement with `VALUES {rows}` in it.

    Args:
        statement: With `{rows}` where the rows stand.
        row: One of them: `(?, ?)`.
    """

    def __init__(self, statement: str, row: str) -> None:
        self._statement = statement
        self._row = row
        self.sized = lru_cache(maxsize=None)(self._sized)

    def execute(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Run it over `rows`, in order; returns how many rows of the table it changed."""
        changed, left, rest = 0, len(rows), iter(rows)
        while left:
            count = min(1 << (left.bit_length() - 1), _MOST_AT_ONCE)
            left -= count
            parameters = list(chain.from_iterable(islice(rest, count)))
            changed += connection.execute(self.sized(count), parameters).rowcount
        return changed

    def _sized(self, count: int) -> str:
        return self._statement.format(rows=", ".join([self._row] * count))
