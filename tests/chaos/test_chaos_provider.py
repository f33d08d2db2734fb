"""A provider that misbehaves ends the run with a reason that says what happened, and only that run."""

from __future__ import annotations

import asyncio

import pytest
from mesh_fixtures import FAULTY_MODELS

from protos.gen.nexus.agent.v1 import agent_pb2
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

# What the provider is asked to do, and the reasons that say so.
FAULTS = {
    "hang before the first token": {"PROVIDER_TIMEOUT"},
    "hang in the middle": {"PROVIDER_TIMEOUT", "STREAM_BROKEN"},
    "drop the connection": {"STREAM_BROKEN"},
    "cut the answer": {"STREAM_BROKEN"},
    "talk garbage": {"PROVIDER_BAD_RESPONSE"},
    "show a web page": {"PROVIDER_BAD_RESPONSE"},
    "say nothing": {"PROVIDER_BAD_RESPONSE"},
    "fail in the middle": {"STREAM_BROKEN", "PROVIDER_ERROR"},
    "be overloaded": {"PROVIDER_ERROR"},
}


@pytest.mark.usefixtures("scripted_model")
async def test_each_fault_fails_its_run_with_its_reason(mesh: RunningMesh) -> None:
    async with AgentClient(mesh) as agent:
        async with asyncio.TaskGroup() as group:
            # Side by side: two of them last until a time limit.
            asked = {
                question: group.create_task(agent.stream(question, model=model))
                for question, model in zip(FAULTS, FAULTY_MODELS, strict=False)
            }
        last = {question: task.result()[-1] for question, task in asked.items()}
        stored = {run.run_id: run for run in await agent.runs()}
    assert {heard.kind for heard in last.values()} == {"run_failed"}
    failures = {question: heard.event.run_failed.failure for question, heard in last.items()}
    wrong = {question: told for question, told in failures.items() if told.reason not in FAULTS[question]}
    assert wrong == {}
    assert all(told.message and "Traceback" not in told.message for told in failures.values())
    for question, heard in last.items():
        run = stored[heard.event.run_id]
        assert run.status == agent_pb2.RUN_STATUS_FAILED
        assert run.failure == failures[question]


async def test_faults_of_one_provider_leave_the_mesh_serving(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        failed = await agent.query("talk garbage", model=FAULTY_MODELS[-1])
        worked = await agent.query("What is 12*12, and what time is it?", model=scripted_model)
    assert failed.status == agent_pb2.RUN_STATUS_FAILED
    assert worked.status == agent_pb2.RUN_STATUS_COMPLETED, worked.failure
