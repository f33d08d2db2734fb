"""The orchestrator over SQLite and LangGraph: a killed process loses nothing, and no tool call is made twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiosqlite
import grpc
import pytest
from orchestrator_fakes import NATIVE, asks, hangs, says
from orchestrator_service import FakeWorld

from orchestrator.domain.chat import ChatStarted, ChatText
from orchestrator.domain.routing import DataClass, Routing
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.agent.v1 import agent_pb2_grpc
from shared.errors import UpstreamDown
from shared.testing.harness import serving

MORTAL = Path(__file__).parents[1] / "orchestrator_mortal.py"


@contextmanager
def stuck_process(folder: Path, place: str) -> Iterator[str]:
    """Run a process to the place where it gets stuck, give the id of its run, and kill it without a warning."""
    command = [sys.executable, str(MORTAL), str(folder), place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            line = next((line for line in process.stdout if line.startswith("stuck ")), "")
            assert line, "the process did not get stuck"
            yield line.split()[1]
        finally:
            process.kill()


async def watched(served, run_id: str, after: int = 0) -> list[pb.RunEvent]:
    stub = agent_pb2_grpc.AgentServiceStub(served.channel)
    request = pb.WatchRunRequest(run_id=run_id, after_sequence=after)
    return [response.event async for response in stub.WatchRun(request, timeout=20)]


def text_of(events: list[pb.RunEvent]) -> str:
    text = ""
    for event in events:
        text = "" if event.HasField("answer_reset") else text + event.token_delta.text
    return text


async def test_a_run_killed_inside_a_tool_goes_on_without_repeating_the_finished_one(tmp_path) -> None:
    with stuck_process(tmp_path, "tool") as run_id:
        pass
    world = FakeWorld()
    world.models.answers = [says("It is 4, at noon.")]
    async with serving(world.service_on(tmp_path)) as served:
        events = await watched(served, run_id)
    assert [request.request_id for request in world.tools.requests] == [f"{run_id}:1:b"]
    assert len(world.models.requests) == 1
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    finished = [e.tool_call_finished.tool_call_id for e in events if e.HasField("tool_call_finished")]
    assert finished == ["a", "b"]
    assert max(event.step_started.attempt for event in events) == 2
    assert events[-1].run_finished.answer == text_of(events) == "It is 4, at noon."


async def test_a_run_killed_inside_an_answer_voids_its_text_and_answers_anew(tmp_path) -> None:
    with stuck_process(tmp_path, "model") as run_id:
        pass
    world = FakeWorld()
    world.models.answers = [says("A whole answer.")]
    async with serving(world.service_on(tmp_path)) as served:
        events = await watched(served, run_id)
    # The attempt that goes on is routed as its caller asked of the one that died.
    assert [request.routing for request in world.models.requests] == [Routing("deep", DataClass.CONFIDENTIAL)]
    kinds = [event.WhichOneof("payload") for event in events]
    assert kinds.count("answer_reset") == 1
    assert kinds.index("token_delta") < kinds.index("answer_reset")
    assert events[-1].run_finished.answer == text_of(events) == "A whole answer."


async def test_a_run_during_which_the_process_dies_again_and_again_fails(tmp_path) -> None:
    with stuck_process(tmp_path, "model") as run_id:
        pass
    async with aiosqlite.connect(tmp_path / "o.sqlite") as connection:
        await connection.execute("UPDATE runs SET attempt = 3, crashes = 2")
        await connection.commit()
    world = FakeWorld()
    async with serving(world.service_on(tmp_path)) as served:
        events = await watched(served, run_id)
    assert events[-1].run_failed.failure.reason == "CRASHED_REPEATEDLY"
    assert world.models.requests == []


async def test_an_orderly_stop_is_no_crash_and_the_run_goes_on(tmp_path) -> None:
    world = FakeWorld()
    world.models.answers = [hangs("Once")]
    for _ in range(4):
        async with serving(world.service_on(tmp_path)) as served:
            stub = agent_pb2_grpc.AgentServiceStub(served.channel)
            query = pb.QueryAgentRequest(question="Hi", request_id="r")
            before = (await stub.ListRuns(pb.ListRunsRequest(), timeout=5)).runs
            async for response in stub.StreamQuery(pb.StreamQueryRequest(query=query), timeout=5):
                run_id = response.event.run_id
                if response.event.HasField("token_delta") and response.event.sequence > (
                    before[0].last_sequence if before else 0
                ):
                    break
    world.models.answers = [says("Done.")]
    async with serving(world.service_on(tmp_path)) as served:
        events = await watched(served, run_id)
    assert events[-1].run_finished.answer == text_of(events) == "Done."


async def test_peers_that_stop_at_the_same_time_fail_no_run(tmp_path) -> None:
    """Work is given up before calls are drained: a model that goes away in that time must not count as a failure."""
    world = FakeWorld()
    begun, gone = asyncio.Event(), asyncio.Event()

    async def until_peers_go(_):
        yield ChatStarted(NATIVE.name, demonstration=False)
        yield ChatText("Once")
        begun.set()
        await gone.wait()
        raise UpstreamDown("UNREACHABLE", "The router service does not answer.")

    world.models.answers = [until_peers_go]
    service = world.service_on(tmp_path)
    async with serving(service) as served:
        stub = agent_pb2_grpc.AgentServiceStub(served.channel)
        query = pb.StreamQueryRequest(query=pb.QueryAgentRequest(question="Hi"))
        call = stub.StreamQuery(query, timeout=20)
        run_id = (await anext(aiter(call))).event.run_id
        await begun.wait()
        await service.halt()
        gone.set()
        with pytest.raises(grpc.aio.AioRpcError) as told:
            async for _ in call:
                pass
    assert told.value.code() == grpc.StatusCode.UNAVAILABLE
    world.models.answers = [says("Done.")]
    async with serving(world.service_on(tmp_path)) as served:
        events = await watched(served, run_id)
    assert events[-1].run_finished.answer == text_of(events) == "Done."
    assert max(event.step_started.attempt for event in events) == 2


async def test_ended_runs_leave_no_checkpoints(tmp_path) -> None:
    world = FakeWorld()
    world.models.answers = [asks(("a", "calculator", "{}")), says("4")]
    async with serving(world.service_on(tmp_path)) as served:
        stub = agent_pb2_grpc.AgentServiceStub(served.channel)
        run = (await stub.QueryAgent(pb.QueryAgentRequest(question="Hi"), timeout=10)).run
        assert run.answer == "4"
        await asyncio.sleep(0.1)
    async with aiosqlite.connect(tmp_path / "checkpoints.sqlite") as connection:
        for count_rows in ("SELECT count(*) FROM checkpoints", "SELECT count(*) FROM writes"):
            assert await connection.execute_fetchall(count_rows) == [(0,)]


@pytest.mark.parametrize("question", ["\u0000 nul", "Grüße 👋🏽 \u202e", "x" * 1_000_000])
async def test_odd_questions_are_kept_as_they_are(tmp_path, question) -> None:
    async with serving(FakeWorld().service_on(tmp_path)) as served:
        stub = agent_pb2_grpc.AgentServiceStub(served.channel)
        run = (await stub.QueryAgent(pb.QueryAgentRequest(question=question), timeout=10)).run
        assert run.question == question
        assert run.status in {pb.RUN_STATUS_COMPLETED, pb.RUN_STATUS_FAILED}
        assert (await stub.GetRun(pb.GetRunRequest(run_id=run.run_id), timeout=5)).run == run
