"""Keeps what organisations know."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.knowledge import Deposit, Deposited, KnowledgeHit, SourcePage
from tool_executor.ports.embedder import Embedded


class KnowledgeStore(Protocol):
    """Keeps passages with their vectors, per organisation; nobody sees another's.

    Every method raises UpstreamDown (KNOWLEDGE_STORE_UNAVAILABLE) when the storage cannot be used.
    """

    async def model(self, org_id: str) -> str:
        """Return the embedding model of the organisation's vectors; empty when it knows nothing."""
        ...

    async def put(self, org_id: str, deposit: Deposit, embedded: Embedded) -> Deposited:
        """Keep the passages of `deposit`, each with its vector of `embedded`, in order.

        Idempotent: a passage is told by its source and text, and takes the title and address of the last put. New
        ones are there before those that they replace go: cut off in between, the same put again mends it.

        Raises:
            PreconditionFailed: KNOWLEDGE_MODEL_CHANGED, when there are vectors of another model.
            QuotaExceeded: KNOWLEDGE_FULL; nothing was stored.
        """
        ...

    async def sources(self, org_id: str, *, after: str, size: int) -> SourcePage:
        """Return at most `size` sources by name, those after the name `after`; empty for the first page."""
        ...

    async def remove(self, org_id: str, source: str) -> int:
        """Remove a source; return how many passages it had, 0 for one that is not there. Idempotent.

        With the last source goes the organisation's embedding model: the next put may choose another one.
        """
        ...

    async def nearest(self, org_id: str, question: Embedded, *, source: str, limit: int) -> list[KnowledgeHit]:
        """Return at most `limit` passages, the nearest to the one vector of `question` first.

        Args:
            org_id: whose.
            question: one vector.
            source: only of this source; empty for all.
            limit: at least 1.

        Raises:
            PreconditionFailed: KNOWLEDGE_MODEL_CHANGED, when the vectors are of another model.
        """
        ...
