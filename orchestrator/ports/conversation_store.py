"""The conversations and their messages."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.conversation import Conversation, Message, NewConversation
from orchestrator.domain.pages import Page, PageRequest
from orchestrator.domain.routing import Routing
from orchestrator.domain.run import Run


class ConversationStore(Protocol):
    """Keeps conversations. A conversation is visible to the user who made it and to nobody else."""

    async def create(self, new: NewConversation) -> Conversation:
        """Store a conversation. Idempotent by (organisation, user, request id).

        Raises:
            AlreadyExists: REQUEST_ID_REUSED when the first request with this id gave another title.
        """
        ...

    async def get(self, org_id: str, user_id: str, conversation_id: str) -> Conversation:
        """Return a conversation.

        Raises:
            NotFound: CONVERSATION_NOT_FOUND, also for somebody else's.
        """
        ...

    async def page(self, org_id: str, user_id: str, page: PageRequest) -> Page[Conversation]:
        """Return the user's conversations, newest first."""
        ...

    async def messages(self, org_id: str, conversation_id: str, limit: int) -> list[Message]:
        """Return the newest messages, oldest first; fewer when they exceed `MOST_MESSAGES_CHARS` together.

        A question stands before its answer, runs in the order in which they were asked.
        """
        ...

    async def routings(self, org_id: str, conversation_id: str) -> list[Routing]:
        """Return how the runs of a conversation are routed: each way once, in no order."""
        ...

    async def history(self, run: Run, limit: int) -> list[Message]:
        """Return the newest messages before this run's question, oldest first, within the same bound."""
        ...

    async def tools_used(self, run: Run) -> list[str]:
        """Return the names of the tools that the runs of this run's conversation have called: each once, by name."""
        ...

    async def delete(self, org_id: str, user_id: str, conversation_id: str, request_id: str) -> list[str]:
        """Delete a conversation with its messages, runs and events; return the ids of the runs.

        Idempotent by request id: the second call returns no ids.

        Raises:
            NotFound: CONVERSATION_NOT_FOUND.
            PreconditionFailed: CONVERSATION_BUSY while a run of it has not ended.
        """
        ...
