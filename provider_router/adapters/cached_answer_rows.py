"""The statements of the cache of answers, for the writer's connection. Each function is one part of one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from provider_router.domain.cache.cached_answer import CacheBounds, CacheKey, CacheSize

_EXPIRED_AT_ONCE = 16
"""An answer that is kept removes a few that are too old: each takes microseconds, and all others wait for them."""

_REMOVED = "DELETE FROM cached_answers WHERE {where} RETURNING org_id, bytes"
_INSERT = """
INSERT INTO cached_answers
(org_id, exact, family, bag, sequence, vector, model, body, bytes, created_us, used_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ADD_SIZE = """
INSERT INTO cache_sizes (org_id, entries, bytes) VALUES (?, ?, ?)
ON CONFLICT (org_id) DO UPDATE SET entries = entries + excluded.entries, bytes = bytes + excluded.bytes
"""
_SAME = _REMOVED.format(where="org_id = ? AND exact = ?")
_EXPIRED = _REMOVED.format(
    where="rowid IN (SELECT rowid FROM cached_answers WHERE created_us < ? ORDER BY created_us LIMIT ?)"
)
_LEAST_USED = _REMOVED.format(
    where="rowid = (SELECT rowid FROM cached_answers WHERE org_id = ? ORDER BY used_us, exact LIMIT 1)"
)
_INVALID = _REMOVED.format(where="org_id = ? AND substr(model, 1, ?) = ? AND created_us < ?")
_USED = "UPDATE cached_answers SET used_us = max(used_us, ?) WHERE org_id = ? AND exact = ?"
_SIZE = "SELECT coalesce(sum(entries), 0), coalesce(sum(bytes), 0) FROM cache_sizes"
_LARGEST = "SELECT org_id FROM cache_sizes WHERE entries > 0 ORDER BY bytes DESC, org_id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer, ready to be stored."""

    key: CacheKey
    vector: bytes
    model: str
    body: bytes
    created_us: int

    @property
    def bytes(self) -> int:
        """What counts against the bounds."""
        return len(self.body) + len(self.vector)


def store(connection: sqlite3.Connection, row: AnswerRow, bounds: CacheBounds) -> CacheSize:
    """Stores `row` in place of the one before and brings the cache back within its bounds."""
    key = row.key
    _subtract(connection, _SAME, (key.org_id, key.exact))
    connection.execute(
        _INSERT,
        (
            key.org_id,
            key.exact,
            key.family,
            key.bag,
            key.sequence,
            row.vector,
            row.model,
            row.body,
            row.bytes,
            row.created_us,
            row.created_us,
        ),
    )
    connection.execute(_ADD_SIZE, (key.org_id, 1, row.bytes))
    return _shrunk(connection, bounds)


def remove_expired(connection: sqlite3.Connection, created_before_us: int) -> None:
    """Removes a few answers that are too old for everybody."""
    _subtract(connection, _EXPIRED, (created_before_us, _EXPIRED_AT_ONCE))


def note_uses(connection: sqlite3.Connection, uses: Mapping[tuple[str, str], int]) -> None:
    """Notes when answers were last used: microseconds by organisation and exact key."""
    connection.executemany(_USED, [(used_us, *key) for key, used_us in uses.items()])


def remove_of_model(connection: sqlite3.Connection, org_id: str, model_prefix: str, created_before_us: int) -> int:
    """Removes answers of `org_id`; returns how many."""
    return _subtract(connection, _INVALID, (org_id, len(model_prefix), model_prefix, created_before_us))


def remove(connection: sqlite3.Connection, org_id: str, exact: str) -> None:
    """Removes one answer, if it is there."""
    _subtract(connection, _SAME, (org_id, exact))


def size_of(connection: sqlite3.Connection) -> CacheSize:
    """How much is kept."""
    return CacheSize(*connection.execute(_SIZE).fetchone())


def _shrunk(connection: sqlite3.Connection, bounds: CacheBounds) -> CacheSize:
    size = size_of(connection)
    while size.entries > bounds.entries or size.bytes > bounds.bytes:
        (org_id,) = connection.execute(_LARGEST).fetchone()
        if not _subtract(connection, _LEAST_USED, (org_id,)):
            # The count does not fit the rows: somebody changed the file by hand.
            connection.execute("UPDATE cache_sizes SET entries = 0, bytes = 0 WHERE org_id = ?", (org_id,))
        size = size_of(connection)
    return size


def _subtract(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> int:
    removed = connection.execute(statement, values).fetchall()
    for org_id, size in removed:
        connection.execute(_ADD_SIZE, (org_id, -1, -size))
    return len(removed)
