"""Runs under strain: many at once, callers that leave, models that misuse tools or never come to an end."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.agent.v1 import agent_pb2
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

TWO_TOOLS = "What is 12*12, and what time is it?"
FINAL = {agent_pb2.RUN_STATUS_COMPLETED, agent_pb2.RUN_STATUS_FAILED, agent_pb2.RUN_STATUS_CANCELLED}


async def ended(agent: AgentClient, run_id: str) -> agent_pb2.Run:
    async with asyncio.timeout(20):
        while True:
            reply = await agent.stub.GetRun(agent_pb2.GetRunRequest(run_id=run_id), timeout=10)
            if reply.run.status in FINAL:
                return reply.run
            await asyncio.sleep(0.05)


async def test_many_questions_at_once_all_get_their_answer(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent, asyncio.TaskGroup() as group:
        asked = [group.create_task(agent.query(TWO_TOOLS, model=scripted_model)) for _ in range(30)]
    runs = [task.result() for task in asked]
    assert [run.failure for run in runs if run.status != agent_pb2.RUN_STATUS_COMPLETED] == []
    assert [call.summary for run in runs for call in run.tool_calls if not call.ok] == []
    assert all("144" in run.answer and len(run.tool_calls) == 2 for run in runs)
    assert len({run.run_id for run in runs}) == len({run.conversation_id for run in runs}) == 30


async def test_a_run_goes_on_when_its_caller_leaves(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        query = agent_pb2.QueryAgentRequest(question="stream slowly", model=scripted_model)
        call = agent.stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query), timeout=30)
        first = await call.read()
        call.cancel()
        run = await ended(agent, first.event.run_id)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert run.answer.count("tick") == 20


async def test_two_questions_in_one_conversation_do_not_mix(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        first = await agent.query("Hello", model=scripted_model)
        results = await asyncio.gather(
            agent.query("stream slowly", model=scripted_model, conversation_id=first.conversation_id),
            agent.query("Good morning", model=scripted_model, conversation_id=first.conversation_id),
            return_exceptions=True,
        )
    answered = [result for result in results if isinstance(result, agent_pb2.Run)]
    refused = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
    assert len(answered) + len(refused) == 2
    assert all(run.status == agent_pb2.RUN_STATUS_COMPLETED for run in answered)
    assert all(error.code() == grpc.StatusCode.FAILED_PRECONDITION for error in refused)
    assert answered


async def test_a_run_that_is_told_how_long_it_may_take_ends_then(mesh: RunningMesh, scripted_model: str) -> None:
    limits = agent_pb2.RunLimits(timeout=Duration(seconds=2))
    async with AgentClient(mesh) as agent:
        run = await agent.query("talk forever", model=scripted_model, limits=limits, timeout_s=30)
    assert run.status == agent_pb2.RUN_STATUS_FAILED
    assert run.failure.reason == "TIMEOUT"
    assert run.answer.startswith("and on")


async def test_a_model_that_never_stops_calling_tools_is_stopped(mesh: RunningMesh, scripted_model: str) -> None:
    limits = agent_pb2.RunLimits(max_steps=3)
    async with AgentClient(mesh) as agent:
        run = await agent.query("never stop calculating", model=scripted_model, limits=limits)
    assert run.status == agent_pb2.RUN_STATUS_FAILED
    assert run.failure.reason == "LIMIT_STEPS"
    assert run.usage.model_calls == 3


@pytest.mark.parametrize("question", ["call a tool that is not there", "call it wrongly"])
async def test_a_misused_tool_is_an_outcome_that_the_model_sees(
    mesh: RunningMesh, scripted_model: str, question: str
) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query(question, model=scripted_model)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert run.tool_calls
    assert not any(call.ok for call in run.tool_calls)
    assert all(call.summary and call.summary in run.answer for call in run.tool_calls)


async def test_interleaved_pieces_of_tool_calls_are_put_together(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query("say it in pieces", model=scripted_model)
    assert {call.tool: call.ok for call in run.tool_calls} == {"calculator": True, "get_current_time": True}
    assert "144" in run.answer


@pytest.mark.parametrize(("question", "answer"), [("finish twice", "Done, and done."), ("hide the usage", "No bill.")])
async def test_small_sins_of_providers_are_forgiven(
    mesh: RunningMesh, scripted_model: str, question: str, answer: str
) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query(question, model=scripted_model)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert run.answer == answer


async def test_usage_adds_up_over_the_model_calls(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream(TWO_TOOLS, model=scripted_model)
        run = await ended(agent, events[0].event.run_id)
    reported = [heard.event.usage_reported for heard in events if heard.kind == "usage_reported"]
    assert run.usage.model_calls == len(reported) == 2
    assert run.usage.tool_calls == 2
    assert run.usage.output_tokens == sum(usage.output_tokens for usage in reported) > 0
    assert {usage.model for usage in reported} == {scripted_model}
