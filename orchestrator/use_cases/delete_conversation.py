"""Delete a conversation."""

from __future__ import annotations

from orchestrator.ports.agent_graph import AgentGraph
from orchestrator.ports.conversation_store import ConversationStore
from shared.auth.principal import Principal


class DeleteConversation:
    """Deletes a conversation of the caller with all that belongs to it."""

    def __init__(self, conversations: ConversationStore, graph: AgentGraph) -> None:
        self._conversations = conversations
        self._graph = graph

    async def __call__(self, principal: Principal, conversation_id: str, request_id: str) -> None:
        """Delete it. Idempotent by request id.

        Raises:
            NotFound: CONVERSATION_NOT_FOUND.
            PreconditionFailed: CONVERSATION_BUSY while a run of it has not ended.
            AlreadyExists: REQUEST_ID_REUSED.
        """
        run_ids = await self._conversations.delete(principal.org_id, principal.user_id, conversation_id, request_id)
        await self._graph.forget(run_ids)
