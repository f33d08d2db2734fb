"""Keeps answers in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from provider_router.adapters.cached_answer_bytes import answer_bytes, similarities_ppm, vector_bytes
from provider_router.domain.cache.cached_answer import CacheBounds, CachedAnswer, CacheKey, CacheLookup, CacheSize, Hit
from provider_router.domain.contracts.contract import PPM


@dataclass(frozen=True, slots=True)
class _Entry:
    key: CacheKey
    vector: bytes
    answer: CachedAnswer
    bytes: int


@dataclass(slots=True)
class _Organisation:
    """Answers by exact key, the one that was not used for the longest time first."""

    entries: OrderedDict[str, _Entry] = field(default_factory=OrderedDict[str, _Entry])
    families: dict[str, dict[str, None]] = field(default_factory=dict[str, dict[str, None]])
    bytes: int = 0

    def add(self, entry: _Entry) -> None:
        """Keeps `entry` in place of the one before."""
        self.remove(entry.key.exact)
        self.entries[entry.key.exact] = entry
        self.bytes += entry.bytes
        if entry.vector:
            self.families.setdefault(entry.key.family, {})[entry.key.exact] = None

    def remove(self, exact: str) -> None:
        """Forgets an answer, if it is there."""
        entry = self.entries.pop(exact, None)
        if entry is None:
            return
        self.bytes -= entry.bytes
        members = self.families.get(entry.key.family, {})
        members.pop(exact, None)
        if not members:
            self.families.pop(entry.key.family, None)

    def newest_of(self, family: str) -> Iterator[_Entry]:
        """The answers of a family, the one that was kept last first."""
        return (self.entries[exact] for exact in reversed(self.families.get(family, {})))


class MemoryResponseCache:
    """Implements `ResponseCache`. What it keeps ends with the process."""

    def __init__(self, bounds: CacheBounds | None = None) -> None:
        self._bounds = bounds or CacheBounds()
        self._organisations: dict[str, _Organisation] = {}

    async def find(self, lookup: CacheLookup) -> Hit | None:
        """The best answer for `lookup`."""
        organisation = self._organisations.get(lookup.key.org_id)
        if organisation is None:
            return None
        entry = organisation.entries.get(lookup.key.exact)
        similarity = PPM
        if entry is None or not _young(entry, lookup):
            entry, similarity = self._similar(organisation, lookup)
        if entry is None:
            return None
        organisation.entries.move_to_end(entry.key.exact)
        semantic = entry.key.exact != lookup.key.exact
        return Hit(entry.answer, semantic, similarity, _age_s(entry, lookup))

    async def put(self, key: CacheKey, vector: tuple[float, ...], answer: CachedAnswer) -> CacheSize:
        """Keeps an answer."""
        meant = vector_bytes(vector) if key.family else b""
        size = len(answer_bytes(answer)) + len(meant)
        if size <= self._bounds.entry_bytes:
            self._organisations.setdefault(key.org_id, _Organisation()).add(_Entry(key, meant, answer, size))
            self._shrink()
        return await self.size()

    async def invalidate(self, org_id: str, *, model_prefix: str = "", created_before: datetime | None = None) -> int:
        """Removes answers of `org_id`."""
        organisation = self._organisations.get(org_id, _Organisation())
        gone = [
            exact
            for exact, entry in organisation.entries.items()
            if entry.answer.model.startswith(model_prefix)
            and (created_before is None or entry.answer.created < created_before)
        ]
        for exact in gone:
            organisation.remove(exact)
        if not organisation.entries:
            self._organisations.pop(org_id, None)
        return len(gone)

    async def size(self) -> CacheSize:
        """How much is kept."""
        kept = self._organisations.values()
        return CacheSize(sum(len(each.entries) for each in kept), sum(each.bytes for each in kept))

    def _similar(self, organisation: _Organisation, lookup: CacheLookup) -> tuple[_Entry | None, int]:
        length = len(vector_bytes(lookup.vector))
        if not length:
            return None, 0
        family = organisation.newest_of(lookup.key.family)
        alike = (each for each in family if len(each.vector) == length and lookup.key.may_mean(each.key))
        entries = list(islice((each for each in alike if _young(each, lookup)), self._bounds.compared))
        if not entries:
            return None, 0
        found = similarities_ppm(b"".join(each.vector for each in entries), len(entries), lookup.vector)
        best = max(found)
        return (entries[found.index(best)], best) if best >= lookup.min_similarity_ppm else (None, 0)

    def _shrink(self) -> None:
        while True:
            entries = sum(len(each.entries) for each in self._organisations.values())
            size = sum(each.bytes for each in self._organisations.values())
            if entries <= self._bounds.entries and size <= self._bounds.bytes:
                return
            org_id = max(self._organisations, key=lambda each: (self._organisations[each].bytes, each))
            largest = self._organisations[org_id]
            largest.remove(next(iter(largest.entries)))
            if not largest.entries:
                del self._organisations[org_id]


def _age_s(entry: _Entry, lookup: CacheLookup) -> float:
    return max(0.0, (lookup.now - entry.answer.created).total_seconds())


def _young(entry: _Entry, lookup: CacheLookup) -> bool:
    return _age_s(entry, lookup) <= lookup.max_age_s
