"""A process with an orchestrator that gets stuck in the middle of a run, to be killed there.

`python orchestrator_mortal.py FOLDER model|tool` prints `stuck RUN_ID` when it is time.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from orchestrator_fakes import asks, hangs
from orchestrator_service import FakeWorld

from orchestrator.domain.tools import ToolOutcome
from orchestrator.ports.tool_runner import ToolRequest
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from protos.gen.nexus.router.v1 import contract_pb2
from shared.testing.harness import serving

CALLS = asks(("a", "calculator", '{"expression":"2+2"}'), ("b", "get_current_time", "{}"))


async def main(folder: Path, place: str) -> None:
    """Ask one question and get stuck: in a model's answer, or in the second of two tools."""

    async def endless(_: ToolRequest) -> ToolOutcome:
        await asyncio.sleep(0.2)
        await asyncio.Event().wait()
        raise AssertionError

    world = FakeWorld()
    world.models.answers = [hangs("Once upon a")] if place == "model" else [CALLS]
    world.tools.behaviour["get_current_time"] = endless
    wanted = "token_delta" if place == "model" else "tool_call_finished"
    async with serving(world.service_on(folder)) as served:
        stub = agent_pb2_grpc.AgentServiceStub(served.channel)
        routing = agent_pb2.RunRouting(tier="deep", data_class=contract_pb2.DATA_CLASS_CONFIDENTIAL)
        query = agent_pb2.QueryAgentRequest(question="What is 2+2, and what time is it?", routing=routing)
        async for response in stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query)):
            if response.event.WhichOneof("payload") == wanted:
                print(f"stuck {response.event.run_id}", flush=True)  # noqa: T201
                await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
