"""Each process is killed in turn while questions run: nothing accepted is lost, and the mesh heals."""

from __future__ import annotations

import asyncio
import os
import signal

import grpc
import pytest

from protos.gen.nexus.agent.v1 import agent_pb2
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

FINAL = {agent_pb2.RUN_STATUS_COMPLETED, agent_pb2.RUN_STATUS_FAILED, agent_pb2.RUN_STATUS_CANCELLED}
TERMINAL = {"run_finished", "run_failed", "run_cancelled"}
PROCESSES = ["orchestrator", "router", "tools", "sandbox", "settings", "dashboard", "local-model"]
QUESTIONS = ["work for a while", "What is 12*12, and what time is it?", "sleep and count"]


async def ask_and_forget(mesh: RunningMesh, question: str, model: str, accepted: set[str]) -> None:
    """Ask, and note the run once it is accepted. What the caller hears after that may break off."""
    async with AgentClient(mesh) as agent:
        query = agent_pb2.QueryAgentRequest(question=question, model=model)
        call = agent.stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query), timeout=60)
        try:
            async for reply in call:
                accepted.add(reply.event.run_id)
        except grpc.aio.AioRpcError as error:
            # A caller may hear that a service is away; never that something is wrong inside.
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise


async def ended_runs(mesh: RunningMesh) -> dict[str, agent_pb2.Run]:
    """Return all runs once every one of them is final."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with AgentClient(mesh) as agent:
                    runs = await agent.runs()
            except grpc.aio.AioRpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
                runs = []
            if runs and all(run.status in FINAL for run in runs):
                return {run.run_id: run for run in runs}
            await asyncio.sleep(0.2)


async def expect_whole_log(mesh: RunningMesh, run: agent_pb2.Run) -> None:
    """The events of an ended run have no gap, one end, and no tool call that ended twice."""
    async with AgentClient(mesh) as agent:
        request = agent_pb2.WatchRunRequest(run_id=run.run_id)
        events = [reply.event async for reply in agent.stub.WatchRun(request, timeout=10)]
    kinds = [event.WhichOneof("payload") for event in events]
    assert [event.sequence for event in events] == list(range(1, run.last_sequence + 1))
    assert kinds[0] == "run_started"
    assert [kind for kind in kinds if kind in TERMINAL] == [kinds[-1]]
    ended = [event.tool_call_finished.tool_call_id for event in events if event.HasField("tool_call_finished")]
    assert len(ended) == len(set(ended))


@pytest.mark.parametrize("name", PROCESSES)
async def test_a_killed_process_loses_no_run(mesh: RunningMesh, scripted_model: str, name: str) -> None:
    before = mesh.wait_until_ready()
    restarts = mesh.process(name)["restarts"]
    accepted: set[str] = set()
    async with asyncio.TaskGroup() as group:
        for question in QUESTIONS:
            group.create_task(ask_and_forget(mesh, question, scripted_model, accepted))
        async with asyncio.timeout(20):
            while len(accepted) < len(QUESTIONS):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)  # into the middle: answers stream, tools run
        os.kill(mesh.pids()[name], signal.SIGKILL)
        healed = await asyncio.to_thread(
            mesh.wait_for,
            lambda state: state["phase"] == "ready" and mesh.process(name)["restarts"] > restarts,
            45,
        )
    runs = await ended_runs(mesh)
    assert accepted <= runs.keys()
    for run_id in accepted:
        assert runs[run_id].status == agent_pb2.RUN_STATUS_COMPLETED or runs[run_id].failure.reason, runs[run_id]
        await expect_whole_log(mesh, runs[run_id])
    others = {entry["name"]: entry["pid"] for entry in before["services"] if entry["name"] != name}
    assert others == {entry["name"]: entry["pid"] for entry in healed["services"] if entry["name"] != name}
    async with AgentClient(mesh) as agent:
        again = await agent.query("What is 12*12, and what time is it?", model=scripted_model)
    assert again.status == agent_pb2.RUN_STATUS_COMPLETED, again.failure
    assert "144" in again.answer
