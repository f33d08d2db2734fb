"""What tools leave: on the events, on the run, in the prompt and in the answer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import grpc
import pytest
from orchestrator_fakes import OFFLINE, asks, says
from orchestrator_service import FakeWorld

from orchestrator.adapters.event_codec import decode_payload, decode_summaries
from orchestrator.adapters.tool_runner_grpc import GrpcToolRunner
from orchestrator.domain.tools import Artifact, ToolOutcome, told_artifacts
from orchestrator.ports.tool_runner import ToolRequest
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.agent.v1 import agent_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.client.channel import open_channel
from shared.testing.harness import serving

PLOT = Artifact("0198c0de-0000-7000-8000-000000000001", "plot.png", "image/png", 12_345)
TOLD = "Files: plot.png (image/png, 12345 bytes, artifact 0198c0de-0000-7000-8000-000000000001)"
HANDLE = tools_pb2.ArtifactHandle(
    artifact_id=PLOT.artifact_id, name=PLOT.name, media_type=PLOT.media_type, size_bytes=PLOT.size_bytes
)


def leaving(world: FakeWorld, *, ok: bool = True) -> None:
    async def leave(_: ToolRequest) -> ToolOutcome:
        return ToolOutcome(ok=ok, output_json='{"result":"4"}', summary="2+2 = 4", artifacts=(PLOT,))

    world.tools.behaviour["calculator"] = leave


async def ask(channel: grpc.aio.Channel, question: str) -> tuple[pb.Run, list[pb.RunEvent]]:
    stub = agent_pb2_grpc.AgentServiceStub(channel)
    request = pb.StreamQueryRequest(query=pb.QueryAgentRequest(question=question))
    events = [response.event async for response in stub.StreamQuery(request, timeout=10)]
    return (await stub.GetRun(pb.GetRunRequest(run_id=events[0].run_id), timeout=5)).run, events


@pytest.mark.parametrize("ok", [True, False])
async def test_they_are_on_the_event_on_the_run_and_in_the_next_prompt(tmp_path: Path, *, ok: bool) -> None:
    world = FakeWorld()
    world.models.answers = [asks(("a", "calculator", "{}")), says("4")]
    leaving(world, ok=ok)
    async with serving(world.service_on(tmp_path)) as served:
        run, events = await ask(served.channel, "Plot 2+2.")
    finished = [event.tool_call_finished for event in events if event.HasField("tool_call_finished")]
    assert [list(call.artifacts) for call in finished] == [[HANDLE]]
    assert [list(call.artifacts) for call in run.tool_calls] == [[HANDLE]]
    assert TOLD in world.models.requests[1].messages[-1].text


async def test_an_answer_by_template_names_them() -> None:
    world = FakeWorld()
    world.peers.known_models = (OFFLINE,)
    leaving(world)
    async with serving(world.service()) as served:
        run, _ = await ask(served.channel, "What is 2+2?")
    assert run.answer.startswith(f"2+2 = 4\n\n{TOLD}\n\n")


async def test_they_come_from_the_tool_executor(tmp_path: Path) -> None:
    class Tools(tools_pb2_grpc.ToolServiceServicer):
        async def ExecuteTool(self, request, context):
            result = tools_pb2.ToolResult(status=tools_pb2.TOOL_STATUS_ERROR, summary="s", artifacts=[HANDLE])
            return tools_pb2.ExecuteToolResponse(result=result)

    server, address = grpc.aio.server(), f"unix:{tmp_path}/s"
    tools_pb2_grpc.add_ToolServiceServicer_to_server(Tools(), server)
    server.add_insecure_port(address)
    await server.start()
    async with open_channel(address, lambda _: None) as channel:
        outcome = await GrpcToolRunner(channel).run(ToolRequest("t", "{}", "r", 1, ""))
    await server.stop(None)
    assert outcome.artifacts == (PLOT,)


def test_what_was_stored_before_there_were_artifacts_has_none() -> None:
    fields = '"tool_call_id":"c","tool":"t","arguments_json":"{}","ok":true,"summary":"s"'
    payload = decode_payload("tool_call_finished", f'{{{fields},"output_json":"{{}}","duration_ms":3}}')
    assert dataclasses.asdict(payload)["artifacts"] == ()
    assert decode_summaries(f"[{{{fields}}}]")[0].artifacts == ()


def test_many_are_told_in_part() -> None:
    told = told_artifacts([PLOT] * 25)
    assert (told.count("plot.png"), told.endswith(", and 5 more")) == (20, True)
    assert told_artifacts([]) == ""
