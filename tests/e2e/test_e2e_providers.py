"""Providers come and go while the mesh runs: an OpenAI-compatible one by editing providers.yaml."""

from __future__ import annotations

import asyncio

import pytest

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh


async def providers(mesh: RunningMesh) -> router_pb2.ListProvidersResponse:
    channel = mesh.channel("router")
    try:
        stub = router_pb2_grpc.RouterServiceStub(channel)
        return await stub.ListProviders(router_pb2.ListProvidersRequest(), timeout=10)
    finally:
        await channel.close()


async def test_two_tools_run_side_by_side_and_the_answer_streams(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream("What is 12*12, and what time is it?", model=scripted_model)
    started = [heard for heard in events if heard.kind == "tool_call_started"]
    finished = [heard for heard in events if heard.kind == "tool_call_finished"]
    tools = ["calculator", "get_current_time"]
    assert sorted(heard.event.tool_call_started.tool for heard in started) == tools
    assert sorted(heard.event.tool_call_finished.tool for heard in finished) == tools
    assert all(heard.event.tool_call_finished.ok for heard in finished)
    assert max(heard.event.sequence for heard in started) < min(heard.event.sequence for heard in finished)
    deltas = [heard.event.token_delta.text for heard in events if heard.kind == "token_delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == events[-1].event.run_finished.answer
    assert "144" in events[-1].event.run_finished.answer


async def test_a_tool_does_not_wait_for_one_that_takes_long(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream("sleep and count", model=scripted_model)
    ended = [heard for heard in events if heard.kind == "tool_call_finished"]
    finished = [heard.event.tool_call_finished for heard in ended]
    assert [(call.tool, call.ok) for call in finished] == [("calculator", True), ("execute_code", True)]


async def test_tokens_arrive_while_the_model_still_speaks(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream("stream slowly", model=scripted_model)
    deltas = [heard for heard in events if heard.kind == "token_delta"]
    assert len(deltas) >= 10
    # The provider needs a second for its twenty pieces; the first must not wait for the last.
    assert events[-1].after_s - deltas[0].after_s > 0.5


async def test_a_watcher_that_comes_back_misses_nothing(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream("stream slowly", model=scripted_model)
        request = agent_pb2.WatchRunRequest(run_id=events[0].event.run_id, after_sequence=3)
        again = [reply.event async for reply in agent.stub.WatchRun(request, timeout=10)]
    assert again == [heard.event for heard in events[3:]]


async def test_a_cancelled_run_keeps_its_partial_answer(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        query = agent_pb2.QueryAgentRequest(question="work for a while", model=scripted_model)
        stream = agent.stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query), timeout=30)
        kinds = []
        async for reply in stream:
            kinds.append(reply.event.WhichOneof("payload"))
            if kinds.count("token_delta") == 3:
                request = agent_pb2.CancelRunRequest(run_id=reply.event.run_id)
                await agent.stub.CancelRun(request, timeout=10)
        reply = await agent.stub.GetRun(agent_pb2.GetRunRequest(run_id=reply.event.run_id), timeout=10)
    assert kinds[-1] == "run_cancelled"
    assert reply.run.status == agent_pb2.RUN_STATUS_CANCELLED
    assert reply.run.answer.startswith("tock")


async def test_the_same_request_id_gives_the_first_run(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(agent.query("Hello", model=scripted_model, request_id="e2e-once")) for _ in range(3)
            ]
        other = await agent.query("Hello", model=scripted_model, request_id="e2e-twice")
    assert len({task.result().run_id for task in asked}) == 1
    assert other.run_id != asked[0].result().run_id


async def test_a_broken_file_is_refused_whole_with_its_line(mesh: RunningMesh, scripted_model: str) -> None:
    good = mesh.providers_file.read_text()
    before = await providers(mesh)
    mesh.providers_file.write_text(good + "  - name: [unclosed\n")
    try:
        async with asyncio.timeout(15):
            while not (after := await providers(mesh)).config_error:
                await asyncio.sleep(0.1)
        async with AgentClient(mesh) as agent:
            run = await agent.query("Hello", model=scripted_model)
    finally:
        mesh.providers_file.write_text(good)
    assert "line" in after.config_error
    assert after.config_version == before.config_version
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    async with asyncio.timeout(15):
        while (await providers(mesh)).config_error:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("command", [("providers", "list"), ("tools", "list"), ("status",), ("settings", "get")])
def test_the_cli_lists_as_json(mesh: RunningMesh, scripted_model: str, command: tuple[str, ...]) -> None:
    text = str(mesh.cli_json(*command))
    expected = {"providers": "scripted", "tools": "calculator", "status": "ready", "settings": "max_steps"}
    assert expected[command[0]] in text or "maxSteps" in text
