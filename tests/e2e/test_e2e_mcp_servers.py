"""The reference MCP servers from npm as tools of an agent's run: programs in the sandbox, and over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import psutil
import pytest
from mesh_fixtures import McpPlaces

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.mcp.v1 import mcp_pb2, mcp_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
FILES = "@modelcontextprotocol/server-filesystem/dist/index.js"
WORK = "look after the files"


@contextmanager
def everything_over_http(program: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run the server until the block ends; it says on its standard error when it listens."""
    command = [str(which("node")), str(program), "streamableHttp"]
    environment = {"PORT": str(port), "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert any("listening" in line for line in process.stderr)
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def outside(mesh: RunningMesh, packages: Path, mcp_places: McpPlaces) -> Iterator[subprocess.Popen[str]]:
    """The servers `files` and `inside`, which run in the sandbox, and `outside`, whose process this is."""
    read, write = (str(mcp_places.folder / name) for name in ("in", "out"))
    code = ("--read", str(packages))
    words = {
        "files": (*code, "--read", read, "--write", write, "--", "node", str(packages / FILES), read, write),
        "inside": (*code, "--", "node", str(packages / EVERYTHING)),
        "outside": ("--url", f"http://127.0.0.1:{mcp_places.port}/mcp"),
    }
    with everything_over_http(packages / EVERYTHING, mcp_places.port) as process, ThreadPoolExecutor() as threads:
        for done in threads.map(lambda name: mesh.cli("mcp", "add", name, *words[name]), words):
            assert done.returncode == 0, done.stdout + done.stderr
        yield process
        for done in threads.map(lambda name: mesh.cli("mcp", "remove", name), words):
            assert done.returncode == 0, done.stdout + done.stderr


async def worked(mesh: RunningMesh, model: str) -> dict[str, list[tuple[bool, str]]]:
    """Return how the calls of a run went, by tool and the good ones first; the run itself must end well."""
    async with AgentClient(mesh) as agent:
        run = await agent.query(WORK, model=model)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    calls: dict[str, list[tuple[bool, str]]] = {}
    for call in sorted(run.tool_calls, key=lambda call: not call.ok):
        calls.setdefault(call.tool, []).append((call.ok, call.summary))
    return calls


@pytest.mark.usefixtures("outside")
async def test_an_agent_uses_the_reference_servers(
    mesh: RunningMesh, scripted_model: str, mcp_places: McpPlaces
) -> None:
    calls = await worked(mesh, scripted_model)
    assert calls["files_list_directory"] == [(True, "[FILE] a.txt")]
    (read, hidden), (written, refused) = calls["files_read_text_file"], calls["files_write_file"]
    assert read == (True, "hello from the host")
    assert (hidden[0], "outside allowed directories" in hidden[1]) == (False, True)
    assert written[0]
    # The server would let it through: it is the mount that is read-only.
    assert (refused[0], "EROFS" in refused[1]) == (False, True)
    assert (mcp_places.folder / "out" / "b.txt").read_text() == "written by an agent"
    assert not (mcp_places.folder / "in" / "b.txt").exists()
    assert calls["inside_get_sum"] == [(True, "The sum of 20 and 22 is 42.")]
    assert calls["outside_echo"] == [(True, "Echo: hello")]
    assert calls["inside_get_tiny_image"][0][0]


@pytest.mark.usefixtures("outside")
def test_a_small_model_uses_a_tool_that_a_question_names(mesh: RunningMesh) -> None:
    # One that needs no arguments: those that it writes itself are not always right.
    done = mesh.cli("ask", "Use inside_get_tiny_image")
    assert "MCP logo" in done.stdout, done.stderr


async def test_a_run_goes_on_without_a_server_that_died(
    mesh: RunningMesh, scripted_model: str, outside: subprocess.Popen[str]
) -> None:
    outside.kill()
    outside.wait()
    for process in psutil.Process(mesh.pids()["sandbox"]).children(recursive=True):
        if any(FILES in word for word in process.cmdline()):
            process.send_signal(signal.SIGKILL)
    calls = await worked(mesh, scripted_model)
    assert [ok for ok, _ in calls["outside_echo"]] == [False]
    assert calls["inside_get_sum"] == [(True, "The sum of 20 and 22 is 42.")]
    # The one in the sandbox is started anew; by now its end has been noticed.
    await back(mesh, "files")
    assert (await worked(mesh, scripted_model))["files_list_directory"] == [(True, "[FILE] a.txt")]


async def back(mesh: RunningMesh, name: str) -> None:
    """Wait until a server answers again."""
    async with asyncio.timeout(20), mesh.channel("tools") as channel:
        stub = mcp_pb2_grpc.McpServiceStub(channel)
        while True:
            servers = (await stub.ListServers(mcp_pb2.ListServersRequest(), timeout=5)).servers
            if {server.spec.name: server.state for server in servers}[name] == mcp_pb2.SERVER_STATE_READY:
                return
            await asyncio.sleep(0.05)
