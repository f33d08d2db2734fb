"""Code, files and artifacts of a conversation, with the real sandbox: through questions and as plain calls of tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mesh_fixtures import TABLE_QUESTION

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.mesh_token import MeshTokens
from shared.auth.principal import Principal
from shared.clock import SystemClock
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

PLOT = "import matplotlib.pyplot as plt\nkept = 21\nplt.plot([1, 4, 9])"
TABLE = b"name,count\nann,1\nbob,20\n"


class Tools:
    """Calls tools of a mesh."""

    def __init__(self, mesh: RunningMesh, credential: str | None = None) -> None:
        self.channel = mesh.channel("tools", credential)
        self._stub: Any = tools_pb2_grpc.ToolServiceStub(self.channel)

    async def __call__(
        self, name: str, conversation_id: str, timeout_s: float = 0, **arguments: object
    ) -> tools_pb2.ToolResult:
        request = tools_pb2.ExecuteToolRequest(
            name=name, arguments_json=json.dumps(arguments), conversation_id=conversation_id
        )
        if timeout_s:
            request.timeout.FromMilliseconds(round(timeout_s * 1000))
        return (await self._stub.ExecuteTool(request, timeout=60)).result


@pytest.fixture
async def tools(mesh: RunningMesh) -> AsyncIterator[Tools]:
    calls = Tools(mesh)
    yield calls
    await calls.channel.close()


@pytest.fixture
async def data_image(mesh: RunningMesh) -> None:
    channel = mesh.channel("sandbox")
    try:
        reply: Any = await sandbox_pb2_grpc.SandboxServiceStub(channel).ListImages(sandbox_pb2.ListImagesRequest())
    finally:
        await channel.close()
    if not any(image.name == "data" and image.available for image in reply.images):
        pytest.skip("the image `data` is not set up: see docs/sandbox-images.md")


@pytest.mark.usefixtures("data_image")
async def test_a_plot_of_a_question_is_an_artifact_and_variables_stay(mesh: RunningMesh, tmp_path: Path) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query(f"Run this Python:\n```python\n{PLOT}\n```")
        again = await agent.query("Run: `print(kept * 2)`", conversation_id=run.conversation_id)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    (plot,) = run.tool_calls[0].artifacts
    assert (plot.name, plot.media_type) == ("plot-1.png", "image/png")
    assert plot.artifact_id in run.answer
    target = tmp_path / "plot.png"
    assert mesh.cli("artifacts", "get", plot.artifact_id, "-o", str(target)).returncode == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert "42" in again.answer


async def test_an_uploaded_table_is_transformed_by_an_agent_and_downloaded(
    mesh: RunningMesh, scripted_model: str, tmp_path: Path
) -> None:
    table = tmp_path / "counts.csv"
    table.write_bytes(TABLE)
    (put,) = mesh.cli_json("artifacts", "put", str(table))
    async with AgentClient(mesh) as agent:
        run = await agent.query(
            f"Please {TABLE_QUESTION} {put['artifact']['artifact_id']} for me", model=scripted_model
        )
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    called = [(call.tool, call.ok) for call in run.tool_calls]
    assert called == [("load_file", True), ("execute_code", True), ("save_file", True)]
    assert "report.csv" in run.answer
    (report,) = run.tool_calls[2].artifacts
    target = tmp_path / "report.csv"
    assert mesh.cli("artifacts", "get", report.artifact_id, "-o", str(target)).returncode == 0
    assert target.read_text().split() == ["name,count", "ann,2", "bob,40"]


async def test_shell_and_code_work_on_the_same_files(tools: Tools) -> None:
    talk = "workspace-shared"
    await tools("write_file", talk, path="in/a.txt", text="one\ntwo\n")
    counted = await tools("shell", talk, command="wc -l < in/a.txt; tr a-z A-Z < in/a.txt > b.txt; cat", stdin="given")
    assert json.loads(counted.output_json)["stdout"].split() == ["2", "given"]
    assert [each.name for each in counted.artifacts] == ["b.txt"]
    changed = await tools("execute_code", talk, code="open('b.txt', 'r+').write('ten'); open('b.txt').read()")
    assert json.loads(changed.output_json)["results"] == [{"text": "'ten\\nTWO\\n'"}]
    # Its size is what it was.
    assert [each.name for each in changed.artifacts] == ["b.txt"]
    failed = await tools("shell", talk, command="echo so far; echo no >&2; exit 3")
    assert (failed.status, failed.error_reason) == (tools_pb2.TOOL_STATUS_ERROR, "CODE_FAILED")
    assert failed.summary.splitlines()[0] == "The program failed with exit code 3."
    assert json.loads((await tools("list_files", talk)).output_json)["files"] == [
        {"path": "b.txt", "size_bytes": 8},
        {"path": "in/a.txt", "size_bytes": 8},
    ]


async def test_a_command_that_takes_too_long_is_stopped_and_the_session_stays(tools: Tools) -> None:
    talk = "workspace-stopped"
    await tools("execute_code", talk, code="kept = 1")
    slow = await tools("shell", talk, timeout_s=2.3, command="sleep 60; echo done")
    assert slow.error_reason == "CODE_TIMEOUT", slow
    after = await tools("execute_code", talk, code="print(kept, input())", stdin="read\n")
    assert json.loads(after.output_json)["stdout"] == "1 read\n"
    assert "session_restarted" not in json.loads(after.output_json)
    left = await tools("shell", talk, command="pgrep sleep")
    assert json.loads(left.output_json)["stdout"] == ""


async def test_what_is_left_of_too_much_output_is_not_told_to_the_next_call(tools: Tools) -> None:
    talk = "workspace-flood"
    for stream in ("stdout", "stderr"):
        flood = await tools("execute_code", talk, code=f"import sys\nwhile True: sys.{stream}.write('x' * 1000)")
        assert flood.error_reason == "CODE_OUTPUT_LIMIT", flood
        after = json.loads((await tools("execute_code", talk, code="print('next')")).output_json)
        assert (after["stdout"], after["stderr"]) == ("next\n", "")
        assert "session_restarted" not in after


async def test_a_call_that_is_cancelled_is_interrupted_and_the_session_stays(mesh: RunningMesh, tools: Tools) -> None:
    talk = "workspace-cancelled"
    await tools("execute_code", talk, code="kept = 5")
    endless = asyncio.create_task(tools("execute_code", talk, code="while True: pass"))
    channel = mesh.channel("sandbox")
    try:
        sandbox: Any = sandbox_pb2_grpc.SandboxServiceStub(channel)
        async with asyncio.timeout(10):
            while not any(
                each.busy for each in (await sandbox.ListSessions(sandbox_pb2.ListSessionsRequest())).sessions
            ):
                await asyncio.sleep(0.01)
    finally:
        await channel.close()
    endless.cancel()
    after = json.loads((await tools("execute_code", talk, code="print(kept)")).output_json)
    assert (after["stdout"], after.get("session_restarted")) == ("5\n", None)


async def test_a_session_that_ended_begins_anew_and_says_so(tools: Tools) -> None:
    talk = "workspace-ended"
    ended = await tools("execute_code", talk, code="import os; os._exit(4)")
    assert json.loads(ended.output_json)["session_ended"] is True
    after = await tools("execute_code", talk, code="print('new')")
    assert json.loads(after.output_json)["session_restarted"] is True


async def test_nobody_finds_another_organisations_files(mesh: RunningMesh, tools: Tools) -> None:
    talk = "workspace-own"
    await tools("write_file", talk, path="secret.txt", text="ours")
    (saved,) = (await tools("save_file", talk, path="secret.txt")).artifacts
    tokens = MeshTokens.from_file(mesh.data / "secrets" / "mesh.key", SystemClock())
    eve = Tools(mesh, tokens.mint(Principal("org-eve", "eve", frozenset({"owner"}), frozenset({"*"})), "test"))
    try:
        taken = await eve("load_file", talk, artifact_id=saved.artifact_id)
        loaded = await eve("execute_code", talk, code="1", artifacts=[{"artifact_id": saved.artifact_id}])
        listed = await eve("list_files", talk)
    finally:
        await eve.channel.close()
    assert [result.error_reason for result in (taken, loaded)] == ["ARTIFACT_UNKNOWN"] * 2
    assert json.loads(listed.output_json)["files"] == []
