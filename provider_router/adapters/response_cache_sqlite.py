"""Keeps answers in the router's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, select

from provider_router.adapters import cached_answer_rows as rows
from provider_router.adapters.cached_answer_bytes import (
    answer_bytes,
    answer_of,
    microseconds,
    moment,
    similarities_ppm,
    vector_bytes,
)
from provider_router.adapters.tables import cache_sizes, cached_answers
from provider_router.domain.cache.cached_answer import CacheBounds, CachedAnswer, CacheKey, CacheLookup, CacheSize, Hit
from provider_router.domain.contracts.contract import PPM
from shared.errors import NexusError
from shared.storage import Database, GroupCommit
from shared.storage.sqlite_file import storage_failure

_MOST_USES_NOTED = 1_000
_FAR_FUTURE_US = 2**62


class SqliteResponseCache:
    """Implements `ResponseCache`. Survives restarts; shared by the routers that share the file.

    When answers were last used is noted with the next answer that is kept; a killed process forgets some of it.

    Args:
        database: For reading.
        writer: Of the same file.
        bounds: How much may be kept.
    """

    def __init__(self, database: Database, writer: GroupCommit, bounds: CacheBounds | None = None) -> None:
        self._database = database
        self._writer = writer
        self._bounds = bounds or CacheBounds()
        self._uses: dict[tuple[str, str], int] = {}

    async def find(self, lookup: CacheLookup) -> Hit | None:
        """The best answer for `lookup`."""
        oldest_us = microseconds(lookup.now - timedelta(seconds=lookup.max_age_s))
        hit = await self._read(lookup, lookup.key.exact, PPM, oldest_us)
        if hit is None and lookup.vector and lookup.key.family:
            similar = await self._similar(lookup, oldest_us)
            hit = await self._read(lookup, similar[0], similar[1], oldest_us) if similar else None
        return hit

    async def put(self, key: CacheKey, vector: tuple[float, ...], answer: CachedAnswer) -> CacheSize:
        """Keeps an answer."""
        meant = vector_bytes(vector) if key.family else b""
        row = rows.AnswerRow(key, meant, answer.model, answer_bytes(answer), microseconds(answer.created))
        if row.bytes > self._bounds.entry_bytes:
            return await self.size()
        uses, self._uses = self._uses, {}
        expired_us = microseconds(answer.created - timedelta(seconds=self._bounds.keep_s))

        def write(connection: sqlite3.Connection) -> CacheSize:
            rows.note_uses(connection, uses)
            rows.remove_expired(connection, expired_us)
            return rows.store(connection, row, self._bounds)

        try:
            return await self._writer.run(write)
        except sqlite3.IntegrityError as error:
            raise storage_failure(error) from error

    async def invalidate(self, org_id: str, *, model_prefix: str = "", created_before: datetime | None = None) -> int:
        """Removes answers of `org_id`."""
        before_us = microseconds(created_before) if created_before else _FAR_FUTURE_US
        return await self._writer.run(
            lambda connection: rows.remove_of_model(connection, org_id, model_prefix, before_us)
        )

    async def size(self) -> CacheSize:
        """How much is kept."""
        total = select(
            func.coalesce(func.sum(cache_sizes.c.entries), 0), func.coalesce(func.sum(cache_sizes.c.bytes), 0)
        )
        async with self._database.connect() as connection:
            return CacheSize(*(await connection.execute(total)).one())

    async def _read(self, lookup: CacheLookup, exact: str, similarity_ppm: int, oldest_us: int) -> Hit | None:
        """The answer under `exact`, if it is young and whole; one that is damaged is removed."""
        org_id = lookup.key.org_id
        row = await self._row(org_id, exact)
        if row is None or row.created_us < oldest_us:
            return None
        answer = answer_of(row.body)
        if answer is None or answer.created != moment(row.created_us) or answer.model != row.model:
            with suppress(NexusError):
                await self._writer.run(lambda connection: rows.remove(connection, org_id, exact))
            return None
        self._note_use(org_id, exact, microseconds(lookup.now))
        age_s = max(0.0, (lookup.now - answer.created).total_seconds())
        return Hit(answer, exact != lookup.key.exact, similarity_ppm, age_s)

    async def _row(self, org_id: str, exact: str) -> Row[Any, Any, Any] | None:
        wanted = select(cached_answers.c.body, cached_answers.c.model, cached_answers.c.created_us).where(
            cached_answers.c.org_id == org_id, cached_answers.c.exact == exact
        )
        async with self._database.connect() as connection:
            return (await connection.execute(wanted)).one_or_none()

    async def _similar(self, lookup: CacheLookup, oldest_us: int) -> tuple[str, int] | None:
        """The exact key of the most similar answer, and how similar it is."""
        vectors = await self._vectors(lookup, oldest_us)
        if not vectors:
            return None
        found = similarities_ppm(b"".join(vectors.values()), len(vectors), lookup.vector)
        best = max(found)
        return (list(vectors)[found.index(best)], best) if best >= lookup.min_similarity_ppm else None

    async def _vectors(self, lookup: CacheLookup, oldest_us: int) -> Mapping[str, bytes]:
        key, table = lookup.key, cached_answers.c
        wanted = (
            select(table.exact, table.vector)
            .where(
                and_(table.org_id == key.org_id, table.family == key.family, table.created_us >= oldest_us),
                (table.bag != key.bag) | (table.sequence == key.sequence),
                func.length(table.vector) == len(vector_bytes(lookup.vector)),
            )
            .order_by(table.created_us.desc())
            .limit(self._bounds.compared)
        )
        async with self._database.connect() as connection:
            found = (await connection.execute(wanted)).all()
        # SQLite keeps what it was given: a damaged row may hold another type.
        return {exact: vector for exact, vector in found if isinstance(vector, bytes)}

    def _note_use(self, org_id: str, exact: str, now_us: int) -> None:
        if len(self._uses) < _MOST_USES_NOTED or (org_id, exact) in self._uses:
            self._uses[org_id, exact] = now_us
