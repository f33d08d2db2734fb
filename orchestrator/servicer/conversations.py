"""`nexus.agent.v1.ConversationService`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from orchestrator.servicer.convert import proto_of_conversation, proto_of_message
from orchestrator.use_cases.create_conversation import CreateConversation
from orchestrator.use_cases.delete_conversation import DeleteConversation
from orchestrator.use_cases.get_conversation import GetConversation
from orchestrator.use_cases.list_conversations import ListConversations
from protos.gen.nexus.agent.v1 import conversation_pb2 as pb
from protos.gen.nexus.agent.v1 import conversation_pb2_grpc
from shared.auth.context import current_principal

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class ConversationUseCases:
    """What can be done with conversations."""

    create: CreateConversation
    get: GetConversation
    page: ListConversations
    delete: DeleteConversation


class ConversationServicer(conversation_pb2_grpc.ConversationServiceServicer):
    """Conversations of the caller."""

    def __init__(self, conversations: ConversationUseCases) -> None:
        self._conversations = conversations

    async def CreateConversation(
        self, request: pb.CreateConversationRequest, context: Context
    ) -> pb.CreateConversationResponse:
        """See the contract."""
        del context
        made = await self._conversations.create(current_principal(), request.title, request.request_id)
        return pb.CreateConversationResponse(conversation=proto_of_conversation(made))

    async def GetConversation(self, request: pb.GetConversationRequest, context: Context) -> pb.GetConversationResponse:
        """See the contract."""
        del context
        found, messages = await self._conversations.get(current_principal(), request.conversation_id)
        return pb.GetConversationResponse(
            conversation=proto_of_conversation(found),
            messages=[proto_of_message(message) for message in messages],
        )

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Context
    ) -> pb.ListConversationsResponse:
        """See the contract."""
        del context
        page = await self._conversations.page(current_principal(), request.page_size, request.page_token)
        return pb.ListConversationsResponse(
            conversations=[proto_of_conversation(row) for row in page.rows], next_page_token=page.next_token
        )

    async def DeleteConversation(
        self, request: pb.DeleteConversationRequest, context: Context
    ) -> pb.DeleteConversationResponse:
        """See the contract."""
        del context
        await self._conversations.delete(current_principal(), request.conversation_id, request.request_id)
        return pb.DeleteConversationResponse()
