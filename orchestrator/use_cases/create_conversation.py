"""Create a conversation."""

from __future__ import annotations

from orchestrator.domain.conversation import Conversation, NewConversation
from orchestrator.ports.conversation_store import ConversationStore
from shared.auth.principal import Principal
from shared.clock import Clock
from shared.ids import IdSource


class CreateConversation:
    """Makes an empty conversation of the caller."""

    def __init__(self, conversations: ConversationStore, clock: Clock, new_id: IdSource) -> None:
        self._conversations = conversations
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, principal: Principal, title: str, request_id: str) -> Conversation:
        """Return the conversation. Idempotent by request id; without one each call makes another.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED.
        """
        return await self._conversations.create(
            NewConversation(
                conversation_id=self._new_id(),
                org_id=principal.org_id,
                user_id=principal.user_id,
                title=title.strip(),
                request_id=request_id or self._new_id(),
                created_at=self._clock.now(),
            )
        )
