"""Knowledge with the embedding model that ships: put and found on the command line, and by the agent."""

from __future__ import annotations

from pathlib import Path

from protos.gen.nexus.agent.v1 import agent_pb2
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

BOOK = """\
Employees have thirty days of vacation a year. Unused days expire in March.

Travel expenses are paid back within two weeks; send the receipts to accounting.

The office cat is called Miller and likes tuna.
"""


async def test_what_was_put_is_found_by_its_meaning_and_used_by_the_agent(mesh: RunningMesh, tmp_path: Path) -> None:
    file = tmp_path / "handbook.txt"
    file.write_text(BOOK)
    (put,) = mesh.cli_json("knowledge", "put", "handbook", str(file))
    assert (put["passages"], put["new_passages"]) == (3, 3)
    (found,) = mesh.cli_json("knowledge", "search", "how many days off do I get?", "--limit", "1")
    assert "thirty days" in found["passages"][0]["passage"]["text"]
    assert (mesh.data / "chroma").stat().st_mode & 0o777 == 0o700

    async with AgentClient(mesh) as agent:
        run = await agent.query("What does our handbook say about vacation?")
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert [(call.tool, call.ok) for call in run.tool_calls] == [("knowledge_search", True)]
    assert "thirty days" in run.answer

    (removed,) = mesh.cli_json("knowledge", "remove", "handbook")
    assert removed["removed_passages"] == 3
