"""The whole mesh dies at once, as when the power fails: the next start takes up what was accepted."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
from mesh_fixtures import providers_yaml

from protos.gen.nexus.agent.v1 import agent_pb2
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh, running_mesh

FINAL = {agent_pb2.RUN_STATUS_COMPLETED, agent_pb2.RUN_STATUS_FAILED, agent_pb2.RUN_STATUS_CANCELLED}


async def accept(mesh: RunningMesh, model: str, request_id: str) -> str:
    """Start a run that takes a while and return its id once it is under way."""
    async with AgentClient(mesh) as agent:
        query = agent_pb2.QueryAgentRequest(question="work for a while", model=model, request_id=request_id)
        call = agent.stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query), timeout=30)
        async for reply in call:
            if reply.event.HasField("token_delta"):
                return reply.event.run_id
    raise AssertionError("the run said nothing")


async def ended(mesh: RunningMesh, run_id: str) -> agent_pb2.Run:
    async with AgentClient(mesh) as agent, asyncio.timeout(60):
        while True:
            reply = await agent.stub.GetRun(agent_pb2.GetRunRequest(run_id=run_id), timeout=10)
            if reply.run.status in FINAL:
                return reply.run
            await asyncio.sleep(0.1)


def test_what_was_accepted_before_a_power_cut_ends_after_it(tmp_path: Path, scripted_url: str) -> None:
    model = "scripted/scripted-chat"
    providers_file = tmp_path / "providers.yaml"
    providers_file.write_text(providers_yaml(scripted_url))
    with running_mesh(tmp_path / "data", providers_file, os.environ) as mesh:
        key = mesh.owner_key()
        accepted = asyncio.run(accept(mesh, model, "before-the-cut"))
        processes = [psutil.Process(pid) for pid in mesh.pids().values()]
        os.kill(mesh.pids()["supervisor"], signal.SIGKILL)
        _, alive = psutil.wait_procs(processes, timeout=10)
        assert alive == [], "processes outlive their supervisor"
        again = mesh.cli("up", "--detach", "--port-base", "0", timeout_s=60)
        assert again.returncode == 0, again.stderr
        assert mesh.owner_key() == key
        run = asyncio.run(ended(mesh, accepted))
        repeated = asyncio.run(accept_again(mesh, model, "before-the-cut"))
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED or run.failure.reason
    assert repeated == accepted


async def accept_again(mesh: RunningMesh, model: str, request_id: str) -> str:
    """Ask the same again, as a client does that heard no answer."""
    async with AgentClient(mesh) as agent:
        return (await agent.query("work for a while", model=model, request_id=request_id)).run_id
