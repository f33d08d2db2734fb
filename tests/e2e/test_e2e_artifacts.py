"""A result that is too long for a model: kept whole, shown by `nexus`, read on by a tool, for its user alone."""

from __future__ import annotations

import json
from pathlib import Path

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

CODE = "for number in range(10_000):\n    print('row', number)"


async def test_a_long_result_is_kept_whole_and_read_on(mesh: RunningMesh, tmp_path: Path) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query(f"Please run this:\n```python\n{CODE}\n```")
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    (whole,) = run.tool_calls[0].artifacts
    assert whole.name == "execute_code-output.json"
    assert whole.artifact_id in run.answer

    (listed,) = mesh.cli_json("artifacts", "list", "--run", run.run_id)[0]["artifacts"]
    assert (listed["artifact_id"], listed["tool"]) == (whole.artifact_id, "execute_code")
    target = tmp_path / "whole.json"
    assert mesh.cli("artifacts", "get", whole.artifact_id, "-o", str(target)).returncode == 0
    assert json.loads(target.read_text())["stdout"].splitlines()[-1] == "row 9999"

    channel = mesh.channel("tools")
    try:
        request = tools_pb2.ExecuteToolRequest(
            name="read_artifact", arguments_json=json.dumps({"artifact_id": whole.artifact_id, "search": "row 9999"})
        )
        result = (await tools_pb2_grpc.ToolServiceStub(channel).ExecuteTool(request, timeout=20)).result
    finally:
        await channel.close()
    assert result.status == tools_pb2.TOOL_STATUS_OK, result.summary
    assert len(json.loads(result.output_json)["matches"]) == 1

    kept = [mesh.data / "artifacts", *(mesh.data / "artifacts").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in kept if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in kept if path.is_file()} == {0o600}
