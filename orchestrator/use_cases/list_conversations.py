"""List conversations."""

from __future__ import annotations

from orchestrator.domain.conversation import Conversation
from orchestrator.domain.pages import Page, page_request
from orchestrator.ports.conversation_store import ConversationStore
from shared.auth.principal import Principal


class ListConversations:
    """Lists the caller's conversations, newest first."""

    def __init__(self, conversations: ConversationStore) -> None:
        self._conversations = conversations

    async def __call__(self, principal: Principal, page_size: int, page_token: str) -> Page[Conversation]:
        """Return a page of at most `page_size` conversations, 0 for 50.

        Raises:
            InvalidInput: PAGE_TOKEN_INVALID.
        """
        page = page_request(page_size, page_token)
        return await self._conversations.page(principal.org_id, principal.user_id, page)
