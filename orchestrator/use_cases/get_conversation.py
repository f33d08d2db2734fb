"""Get a conversation."""

from __future__ import annotations

from orchestrator.domain.conversation import Conversation, Message
from orchestrator.ports.conversation_store import ConversationStore
from shared.auth.principal import Principal

MOST_MESSAGES = 200


class GetConversation:
    """Reads a conversation of the caller with its newest messages."""

    def __init__(self, conversations: ConversationStore) -> None:
        self._conversations = conversations

    async def __call__(self, principal: Principal, conversation_id: str) -> tuple[Conversation, list[Message]]:
        """Return the conversation and its newest 200 messages, oldest first.

        Raises:
            NotFound: CONVERSATION_NOT_FOUND.
        """
        found = await self._conversations.get(principal.org_id, principal.user_id, conversation_id)
        messages = await self._conversations.messages(principal.org_id, conversation_id, MOST_MESSAGES)
        return found, messages
