"""What an administrator does with the CLI takes effect while the mesh runs."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator

import grpc
import pytest

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh


@pytest.fixture
def without_calculator(mesh: RunningMesh) -> Iterator[None]:
    disabled = mesh.cli("tools", "disable", "calculator")
    assert disabled.returncode == 0, disabled.stderr
    try:
        yield
    finally:
        enabled = mesh.cli("tools", "enable", "calculator")
        assert enabled.returncode == 0, enabled.stderr


async def test_a_disabled_tool_is_not_run_and_not_offered(
    mesh: RunningMesh, scripted_model: str, without_calculator: None
) -> None:
    await expect_calculator(mesh, runs=False)
    async with AgentClient(mesh) as agent:
        run = await agent.query("What is 12*12, and what time is it?", model=scripted_model)
    assert [call.tool for call in run.tool_calls] == ["get_current_time"]


async def test_an_enabled_tool_works_again(mesh: RunningMesh) -> None:
    assert mesh.cli("tools", "disable", "calculator").returncode == 0
    await expect_calculator(mesh, runs=False)
    assert mesh.cli("tools", "enable", "calculator").returncode == 0
    await expect_calculator(mesh, runs=True)


def test_an_unknown_tool_is_refused_by_name(mesh: RunningMesh) -> None:
    done = mesh.cli("tools", "disable", "no_such_tool")
    assert done.returncode != 0
    assert "no_such_tool" in done.stdout + done.stderr


async def test_a_setting_is_read_by_the_next_run(mesh: RunningMesh, scripted_model: str) -> None:
    assert mesh.cli("settings", "set", "agent.default_model", scripted_model).returncode == 0
    try:
        deadline = time.monotonic() + 10
        async with AgentClient(mesh) as agent:
            while (run := await agent.query("Good morning")).model != scripted_model:
                assert time.monotonic() < deadline, run
    finally:
        assert mesh.cli("settings", "set", "agent.default_model", "").returncode == 0
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED


def test_a_second_mesh_on_the_same_data_is_refused(mesh: RunningMesh) -> None:
    done = mesh.cli("up", "--detach", "--port-base", "0")
    assert done.returncode != 0
    assert "already" in (done.stdout + done.stderr).lower()
    assert mesh.wait_until_ready()


def test_secrets_are_readable_by_the_owner_alone(mesh: RunningMesh) -> None:
    assert stat.S_IMODE(mesh.data.stat().st_mode) == 0o700
    secrets = list((mesh.data / "secrets").iterdir())
    assert {"owner.key", "mesh.key"} <= {secret.name for secret in secrets}
    assert {stat.S_IMODE(secret.stat().st_mode) for secret in secrets} == {0o600}


def test_no_log_and_no_database_holds_the_owner_key(mesh: RunningMesh) -> None:
    key = mesh.owner_key().encode()
    kept = [path for folder in ("logs", "db") for path in (mesh.data / folder).rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if key in path.read_bytes()] == []


def test_doctor_finds_nothing_wrong(mesh: RunningMesh) -> None:
    done = mesh.cli("doctor")
    assert done.returncode == 0, done.stdout + done.stderr


async def expect_calculator(mesh: RunningMesh, *, runs: bool) -> None:
    """Wait until the tool executor has heard of the calculator's new state."""
    channel = mesh.channel("tools")
    stub = tools_pb2_grpc.ToolServiceStub(channel)
    request = tools_pb2.ExecuteToolRequest(name="calculator", arguments_json='{"expression": "1+1"}')
    deadline = time.monotonic() + 10
    try:
        while True:
            try:
                await stub.ExecuteTool(request, timeout=10)
                seen = True
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.PERMISSION_DENIED):
                    raise
                seen = False
            if seen is runs:
                return
            assert time.monotonic() < deadline, "the new state of the tool has no effect"
    finally:
        await channel.close()


async def test_a_scope_keeps_a_tool_from_models_and_from_those_who_name_it_all_the_same_and_the_audit_says_so(
    mesh: RunningMesh, scripted_model: str
) -> None:
    assert mesh.cli("tools", "scope", "set", "get_*", "execute_code").returncode == 0
    try:
        async with AgentClient(mesh) as agent:
            deadline = time.monotonic() + 10
            # Within a second the executor knows it, and within another one the orchestrator.
            while "calculator" in called(run := await agent.query("What is 12*12? The time?", model=scripted_model)):
                assert time.monotonic() < deadline, run
            assert called(run) == ["get_current_time"]
            named = await agent.query("say it in pieces", model=scripted_model)
        said = {call.tool: (call.ok, "scope:organisation" in call.summary) for call in named.tool_calls}
        assert said == {"calculator": (False, True), "get_current_time": (True, False)}
        (audit,) = mesh.cli_json("tools", "audit", "--refused", "--limit", "1")
        (event,) = audit["events"]
        assert (event["tool"], event["run_id"], event["policies"]) == (
            "calculator",
            named.run_id,
            ["scope:organisation"],
        )
    finally:
        assert mesh.cli("tools", "scope", "clear").returncode == 0
    await expect_calculator(mesh, runs=True)


def called(run: agent_pb2.Run) -> list[str]:
    return [call.tool for call in run.tool_calls]
