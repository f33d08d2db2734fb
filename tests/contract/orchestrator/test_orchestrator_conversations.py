"""ConversationService, by the contract."""

from __future__ import annotations

import pytest
from orchestrator_fakes import hangs, other

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.agent.v1 import conversation_pb2 as pb
from shared.client import translated_errors
from shared.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    Unauthenticated,
)
from shared.testing.harness import principal


async def create(client, **fields) -> pb.Conversation:
    async with translated_errors("orchestrator"):
        request = pb.CreateConversationRequest(**fields)
        return (await client.conversations.CreateConversation(request, timeout=5)).conversation


async def get(client, conversation_id: str) -> pb.GetConversationResponse:
    async with translated_errors("orchestrator"):
        request = pb.GetConversationRequest(conversation_id=conversation_id)
        return await client.conversations.GetConversation(request, timeout=5)


async def page(client, **fields) -> pb.ListConversationsResponse:
    async with translated_errors("orchestrator"):
        return await client.conversations.ListConversations(pb.ListConversationsRequest(**fields), timeout=5)


async def delete(client, conversation_id: str, request_id: str = "") -> None:
    async with translated_errors("orchestrator"):
        request = pb.DeleteConversationRequest(conversation_id=conversation_id, request_id=request_id)
        await client.conversations.DeleteConversation(request, timeout=5)


async def test_a_conversation_is_made_once_for_a_request(client) -> None:
    made = await create(client, title=" Plans ", request_id="r")
    assert made.title == "Plans"
    assert await create(client, title="Plans", request_id="r") == made
    assert (await create(client)).conversation_id != (await create(client)).conversation_id
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await create(client, title="Other", request_id="r")


async def test_a_conversation_has_what_was_said(client, world) -> None:
    request = agent_pb2.QueryAgentRequest(question="Good day to you, dear machine")
    run = (await client.agent.QueryAgent(request, timeout=5)).run
    found = await get(client, run.conversation_id)
    assert found.conversation.title == "Good day to you, dear machine"
    said = [(message.role, message.text, message.run_id) for message in found.messages]
    assert said == [
        (pb.MESSAGE_ROLE_USER, "Good day to you, dear machine", run.run_id),
        (pb.MESSAGE_ROLE_ASSISTANT, "Hello.", run.run_id),
    ]


async def test_conversations_are_listed_newest_first_to_their_user(client, client_as) -> None:
    made = [await create(client, title=str(number)) for number in range(3)]
    first = await page(client, page_size=2)
    rest = await page(client, page_token=first.next_page_token)
    assert [c.title for c in (*first.conversations, *rest.conversations)] == ["2", "1", "0"]
    assert first.conversations[0] == made[2]
    assert not (await page(client_as(other("org-a", "user-2")))).conversations
    with pytest.raises(InvalidInput, match="PAGE_TOKEN_INVALID"):
        await page(client, page_token="?")


async def test_a_deleted_conversation_is_gone_with_its_runs(client, world) -> None:
    run = (await client.agent.QueryAgent(agent_pb2.QueryAgentRequest(question="Hi"), timeout=5)).run
    await delete(client, run.conversation_id, "r")
    await delete(client, run.conversation_id, "r")
    for gone in (get(client, run.conversation_id), delete(client, run.conversation_id, "other")):
        with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
            await gone
    assert world.store.runs == {}


async def test_a_busy_conversation_is_not_deleted(client, world) -> None:
    world.models.answers = [hangs("Once")]
    conversation = await create(client)
    request = agent_pb2.QueryAgentRequest(question="Hi", conversation_id=conversation.conversation_id)
    call = client.agent.StreamQuery(agent_pb2.StreamQueryRequest(query=request), timeout=5)
    await call.read()
    with pytest.raises(PreconditionFailed, match="CONVERSATION_BUSY"):
        await delete(client, conversation.conversation_id)
    call.cancel()


async def test_strangers_are_kept_out(client, client_as) -> None:
    made = await create(client)
    for who in (other(), other("org-a", "user-2")):
        for call in (get, delete):
            with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
                await call(client_as(who), made.conversation_id)
    for who, error in ((None, Unauthenticated), (principal(permissions=("runs.*",)), Forbidden)):
        nobody = client_as(who)
        for attempt in (create(nobody), get(nobody, "x"), page(nobody), delete(nobody, "x")):
            with pytest.raises(error):
                await attempt


@pytest.mark.parametrize("call", [get, delete])
async def test_an_id_is_needed(client, call) -> None:
    with pytest.raises(InvalidInput):
        await call(client, "")


async def test_a_title_has_at_most_200_characters(client) -> None:
    with pytest.raises(InvalidInput):
        await create(client, title="x" * 201)
