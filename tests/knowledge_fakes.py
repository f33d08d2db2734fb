"""Knowledge in memory, and the Chroma store over a folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from shared.clock import Clock
from shared.testing.fakes import FakeClock
from tool_executor.adapters.knowledge_store_chroma import ChromaKnowledgeStore
from tool_executor.domain.knowledge import Deposit, Deposited, KnowledgeHit, Passage, SourcePage, SourceState
from tool_executor.domain.knowledge_errors import knowledge_full, model_changed
from tool_executor.ports.embedder import Embedded, Vector

MOST = 6


@dataclass
class _Knowledge:
    model: str
    rows: dict[tuple[str, str], tuple[Passage, Vector, datetime]] = field(
        default_factory=dict[tuple[str, str], tuple[Passage, Vector, datetime]]
    )


class MemoryKnowledgeStore:
    """Implements `KnowledgeStore`; vectors have length 1."""

    def __init__(self, clock: Clock | None = None, *, most_passages: int = MOST) -> None:
        self._clock = clock or FakeClock()
        self._most_passages = most_passages
        self._of: dict[str, _Knowledge] = {}

    async def model(self, org_id: str) -> str:
        """Return the model of what is kept."""
        return self._of[org_id].model if org_id in self._of else ""

    async def put(self, org_id: str, deposit: Deposit, embedded: Embedded) -> Deposited:
        """Keep passages."""
        kept = self._of.get(org_id) or _Knowledge(embedded.model)
        _compare(kept, embedded)
        fresh = {
            (deposit.source, passage.text): (passage, vector, self._clock.now())
            for passage, vector in zip(deposit.passages, embedded.vectors, strict=True)
        }
        new = len(fresh.keys() - kept.rows.keys())
        if len(kept.rows) + new > self._most_passages:
            raise knowledge_full(self._most_passages)
        self._of[org_id] = kept
        kept.rows |= fresh
        if deposit.replace:
            kept.rows = {key: row for key, row in kept.rows.items() if key[0] != deposit.source or key in fresh}
        return Deposited(new, sum(source == deposit.source for source, _ in kept.rows))

    async def sources(self, org_id: str, *, after: str, size: int) -> SourcePage:
        """Return a page of sources."""
        rows = self._of[org_id].rows if org_id in self._of else {}
        times: dict[str, list[datetime]] = {}
        for (source, _), (_, _, at) in rows.items():
            times.setdefault(source, []).append(at)
        names = sorted(name for name in times if name > after)
        listed = [SourceState(name, len(times[name]), max(times[name])) for name in names[:size]]
        return SourcePage(listed, listed[-1].name if len(names) > size else "")

    async def remove(self, org_id: str, source: str) -> int:
        """Remove a source."""
        kept = self._of.get(org_id)
        if kept is None:
            return 0
        gone = [key for key in kept.rows if key[0] == source]
        for key in gone:
            del kept.rows[key]
        if not kept.rows:
            del self._of[org_id]
        return len(gone)

    async def nearest(self, org_id: str, question: Embedded, *, source: str, limit: int) -> list[KnowledgeHit]:
        """Return the nearest passages."""
        kept = self._of.get(org_id)
        if kept is None:
            return []
        _compare(kept, question)
        hits = [
            KnowledgeHit(passage, name, sum(a * b for a, b in zip(vector, question.vectors[0], strict=True)))
            for (name, _), (passage, vector, _) in kept.rows.items()
            if source in {"", name}
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]


def _compare(kept: _Knowledge, embedded: Embedded) -> None:
    if kept.model != embedded.model:
        raise model_changed(kept.model, embedded.model)


@asynccontextmanager
async def opened_chroma(
    folder: Path, clock: Clock | None = None, *, most_passages: int = MOST
) -> AsyncGenerator[ChromaKnowledgeStore]:
    """Open the store over `folder` until the block ends."""
    store = ChromaKnowledgeStore(folder, clock or FakeClock(), most_passages=most_passages)
    try:
        yield store
    finally:
        await store.stop()
