"""Puts passages into an organisation's knowledge."""

from __future__ import annotations

from shared.auth.principal import Principal
from tool_executor.domain.knowledge import Deposit, Deposited
from tool_executor.ports.knowledge_store import KnowledgeStore
from tool_executor.use_cases.embed_knowledge import EmbedKnowledge


class PutPassages:
    """Makes the vectors of passages and keeps both."""

    def __init__(self, store: KnowledgeStore, embed: EmbedKnowledge) -> None:
        self._store = store
        self._embed = embed

    async def __call__(self, principal: Principal, deposit: Deposit) -> Deposited:
        """Put `deposit` into the knowledge of the principal's organisation. Idempotent.

        Raises:
            PreconditionFailed: KNOWLEDGE_MODEL_GONE, KNOWLEDGE_MODEL_CHANGED.
            QuotaExceeded: KNOWLEDGE_FULL.
            UpstreamDown: KNOWLEDGE_STORE_UNAVAILABLE.
            NexusError: with the router's reason.
        """
        model = await self._store.model(principal.org_id)
        embedded = await self._embed([passage.meaning for passage in deposit.passages], model)
        return await self._store.put(principal.org_id, deposit, embedded)
