"""Code that never ends, eats memory, multiplies or floods: a typed tool outcome, and the mesh keeps serving."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

LOOP = "while True: pass"
ALLOCATE = "held = []\nwhile True: held.append(bytearray(8_000_000))"
FORK = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
PRINT = "while True: print('x' * 1000)"
DAEMON = (
    "import os, time\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        time.sleep(3600)\n"
    "    os._exit(0)\n"
    "print('left one behind')"
)


@pytest.fixture
async def tools(mesh: RunningMesh) -> AsyncIterator[Any]:
    channel = mesh.channel("tools")
    yield tools_pb2_grpc.ToolServiceStub(channel)
    await channel.close()


async def execute(stub: Any, code: str, wall_s: int = 0) -> tools_pb2.ToolResult:
    request = tools_pb2.ExecuteToolRequest(name="execute_code", arguments_json=json.dumps({"code": code}))
    if wall_s:
        request.timeout.FromSeconds(wall_s)
    return (await stub.ExecuteTool(request, timeout=60)).result


TIMEOUTS = {"CODE_TIMEOUT", "TOOL_TIMEOUT"}
HOSTILE = [
    pytest.param(LOOP, 2, TIMEOUTS, id="loops"),
    # Python may be told that there is no memory before the limit kills it.
    pytest.param(ALLOCATE, 10, {"CODE_OUT_OF_MEMORY", "CODE_FAILED"}, id="allocates"),
    pytest.param(FORK, 3, TIMEOUTS | {"CODE_OUT_OF_MEMORY"}, id="forks"),
    pytest.param(PRINT, 10, {"CODE_OUTPUT_LIMIT"}, id="prints"),
]


@pytest.mark.parametrize(("code", "wall_s", "reasons"), HOSTILE)
async def test_hostile_code_ends_as_a_typed_outcome(tools: Any, code: str, wall_s: int, reasons: set[str]) -> None:
    result = await execute(tools, code, wall_s)
    assert result.status in (tools_pb2.TOOL_STATUS_TIMEOUT, tools_pb2.TOOL_STATUS_ERROR)
    assert result.error_reason in reasons, result
    assert result.summary
    after = await execute(tools, "print(6 * 7)")
    assert after.status == tools_pb2.TOOL_STATUS_OK, after
    assert "42" in after.output_json


async def test_hostile_code_side_by_side_leaves_room_for_others(tools: Any) -> None:
    async with asyncio.TaskGroup() as group:
        hostile = [group.create_task(execute(tools, code, 3)) for code in (LOOP, FORK, PRINT)]
        good = group.create_task(execute(tools, "print(6 * 7)"))
    assert good.result().status == tools_pb2.TOOL_STATUS_OK, good.result()
    assert {task.result().error_reason for task in hostile} <= TIMEOUTS | {"CODE_OUTPUT_LIMIT", "CODE_OUT_OF_MEMORY"}


async def test_a_process_left_behind_does_not_survive_its_run(tools: Any) -> None:
    began = time.monotonic()
    result = await execute(tools, DAEMON)
    assert result.status == tools_pb2.TOOL_STATUS_OK, result
    assert time.monotonic() - began < 20
    seen = await execute(tools, "import os; print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()))")
    assert len(json.dumps(json.loads(seen.output_json)).split(",")) < 12, seen.output_json


async def test_a_run_whose_code_never_ends_still_has_an_answer(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query("loop forever in code", model=scripted_model, timeout_s=60)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert [(call.tool, call.ok) for call in run.tool_calls] == [("execute_code", False)]
    assert "time limit" in run.tool_calls[0].summary
    assert "time limit" in run.answer
