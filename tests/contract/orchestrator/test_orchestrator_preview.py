"""PreviewQuery: what a model would be asked is what it is asked, and nothing is started."""

from __future__ import annotations

import pytest
from orchestrator_fakes import NATIVE, OFFLINE, says

from orchestrator.adapters.chat_proto import proto_of_request
from orchestrator.domain.chat import ChatRequest
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NotFound, PreconditionFailed
from shared.testing.harness import principal

ROUTING = pb.RunRouting(tier="deep", data_class=contract_pb2.DATA_CLASS_CONFIDENTIAL, residency=["eu"])


async def preview(client, question: str = "Hi", refused: str = "", **fields) -> pb.PreviewQueryResponse:
    query = pb.QueryAgentRequest(question=question, **fields)
    async with translated_errors("orchestrator"):
        return await client.agent.PreviewQuery(pb.PreviewQueryRequest(query=query, refused_reason=refused), timeout=10)


def without_ids(request: router_pb2.ChatCompletionRequest) -> router_pb2.ChatCompletionRequest:
    """What routing goes by: a run and a new conversation have names of their own, and a call has its deadline."""
    copy = router_pb2.ChatCompletionRequest()
    copy.CopyFrom(request)
    copy.ClearField("request_id")
    copy.routing.ClearField("conversation_id")
    copy.routing.ClearField("timeout")
    return copy


def asked(request: ChatRequest) -> router_pb2.ChatCompletionRequest:
    return without_ids(proto_of_request(request))


@pytest.mark.parametrize("model", [NATIVE, OFFLINE], ids=["native", "guided"])
async def test_what_is_previewed_is_what_is_asked(client, world, model) -> None:
    world.peers.known_models = (model,)
    fields = {"question": "Tell me a story", "routing": ROUTING, "limits": pb.RunLimits(max_steps=3)}
    shown = await preview(client, **fields)
    assert world.store.runs == {}
    assert world.models.requests == []
    world.models.answers = [says("Once"), says("Once")]
    await client.agent.QueryAgent(pb.QueryAgentRequest(**fields), timeout=10)
    assert without_ids(shown.request) == asked(world.models.requests[-1])
    assert shown.guided is (model is OFFLINE)
    assert bool(shown.request.tools) is (model is NATIVE)
    assert shown.request.routing.timeout.seconds > 0
    assert shown.request.routing.conversation_id


async def test_a_conversation_that_is_continued_is_sent_with_it(client, world) -> None:
    world.models.answers = [says("one"), says("two")]
    first = (await client.agent.QueryAgent(pb.QueryAgentRequest(question="1"), timeout=10)).run
    shown = await preview(client, "2", conversation_id=first.conversation_id)
    await client.agent.QueryAgent(pb.QueryAgentRequest(question="2", conversation_id=first.conversation_id), timeout=10)
    assert [message.content[0].text for message in shown.request.messages[1:]] == ["1", "one", "2"]
    assert without_ids(shown.request) == asked(world.models.requests[1])
    assert shown.request.routing.conversation_id == first.conversation_id


async def test_what_was_restricted_stays_so_in_later_questions(client, world) -> None:
    world.models.answers = [says("one"), says("two")]
    restricted = pb.RunRouting(data_class=contract_pb2.DATA_CLASS_RESTRICTED, residency=["eu"], tier="deep")
    first = pb.QueryAgentRequest(question="1", routing=restricted)
    conversation_id = (await client.agent.QueryAgent(first, timeout=10)).run.conversation_id
    shown = await preview(client, "2", conversation_id=conversation_id)
    await client.agent.QueryAgent(pb.QueryAgentRequest(question="2", conversation_id=conversation_id), timeout=10)
    for routing in (shown.request.routing, asked(world.models.requests[1]).routing):
        assert (routing.data_class, list(routing.residency)) == (contract_pb2.DATA_CLASS_RESTRICTED, ["eu"])
        assert routing.tier == ""
    elsewhere = pb.QueryAgentRequest(
        question="3", conversation_id=conversation_id, routing=pb.RunRouting(residency=["us"])
    )
    with pytest.raises(InvalidInput, match="RESIDENCY_CONFLICT"):
        async with translated_errors("orchestrator"):
            await client.agent.QueryAgent(elsewhere, timeout=10)
    with pytest.raises(InvalidInput, match="RESIDENCY_CONFLICT"):
        await preview(client, "3", conversation_id=conversation_id, routing=pb.RunRouting(residency=["us"]))
    assert len(world.models.requests) == 2


async def test_after_a_refusal_the_model_that_is_offered_no_tools(client, world) -> None:
    world.peers.known_models = (
        NATIVE,
        OFFLINE,
    )
    shown = await preview(client, refused="NO_ROUTE")
    assert shown.guided
    assert list(shown.request.tools) == []
    assert not (await preview(client, refused="MODEL_UNKNOWN", model=NATIVE.name)).HasField("request")
    world.peers.known_models = (NATIVE,)
    assert not (await preview(client, refused="NO_ROUTE")).HasField("request")


async def test_previews_that_are_refused(client, client_as, world) -> None:
    with pytest.raises(InvalidInput, match="MODEL_UNKNOWN"):
        await preview(client, model="no/such")
    with pytest.raises(NotFound, match="CONVERSATION_NOT_FOUND"):
        await preview(client, conversation_id="nowhere")
    with pytest.raises(InvalidInput):
        await preview(client, "")
    with pytest.raises(Forbidden):
        await preview(client_as(principal(permissions=("runs.read",))))
    world.peers.known_models = ()
    with pytest.raises(PreconditionFailed, match="NO_CHAT_MODEL"):
        await preview(client)
