"""Finds passages by what they mean."""

from __future__ import annotations

from shared.auth.principal import Principal
from tool_executor.domain.knowledge import KnowledgeFound
from tool_executor.ports.knowledge_store import KnowledgeStore
from tool_executor.use_cases.embed_knowledge import EmbedKnowledge


class SearchPassages:
    """Compares a question with the passages of the caller's organisation."""

    def __init__(self, store: KnowledgeStore, embed: EmbedKnowledge) -> None:
        self._store = store
        self._embed = embed

    async def __call__(self, principal: Principal, query: str, *, source: str, limit: int) -> KnowledgeFound:
        """Return at most `limit` passages, only of `source` unless that is empty.

        Raises:
            PreconditionFailed: KNOWLEDGE_MODEL_GONE, KNOWLEDGE_MODEL_CHANGED.
            UpstreamDown: KNOWLEDGE_STORE_UNAVAILABLE.
            NexusError: with the router's reason.
        """
        model = await self._store.model(principal.org_id)
        if not model:
            return KnowledgeFound((), is_empty=True)
        question = await self._embed([query], model)
        hits = await self._store.nearest(principal.org_id, question, source=source, limit=limit)
        return KnowledgeFound(hits, is_empty=False)
