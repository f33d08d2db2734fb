"""What is measured on a running mesh."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.processes import cpu_by_process
from benchmarks.timing import Timings, interleaved, timed
from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

MODEL = "scripted/scripted-chat"
QUESTION = "Good morning"
_IDLE_S = 3.0
_SETTLED_PERCENT = 5.0
_SETTLE_LIMIT_S = 10.0


class WrongAnswerError(RuntimeError):
    """The mesh did not do the work that was to be measured."""


async def warm_up(mesh: RunningMesh) -> None:
    """Have the local model, the tools and the sandbox work once, so that idle memory has them loaded."""
    async with AgentClient(mesh) as agent:
        for question in ("What is 6*7?", "Run this:\n```python\nprint(1)\n```", "Hello"):
            _completed(await agent.query(question))


async def agent_timings(mesh: RunningMesh, provider_url: str, count: int, limit_s: float) -> dict[str, Timings]:
    """Time a direct provider call, QueryAgent and the first token of StreamQuery in turns, without tools."""
    async with AgentClient(mesh) as agent, aiohttp.ClientSession() as session:

        async def direct() -> float:
            return await timed(_direct(session, provider_url))

        async def query() -> float:
            return await timed(_query(agent))

        async def first_token() -> float:
            return await _first_token_ms(agent)

        calls = {"direct": direct, "query": query, "first_token": first_token}
        return await interleaved(calls, count, limit_s)


async def cpu_per_request_ms(mesh: RunningMesh, count: int) -> dict[str, float]:
    """Return the CPU that each process of the mesh uses for one QueryAgent, in milliseconds."""
    async with AgentClient(mesh) as agent:
        before = cpu_by_process(mesh)
        for _ in range(count):
            await _query(agent)
        after = cpu_by_process(mesh)
    return {name: (after[name] - before[name]) / count * 1000 for name in before}


async def settle(mesh: RunningMesh) -> None:
    """Wait until the mesh has nothing left to do after the last question, at most ten seconds."""
    deadline = time.monotonic() + _SETTLE_LIMIT_S
    while await _cpu_percent(mesh, 0.5) > _SETTLED_PERCENT and time.monotonic() < deadline:
        pass


async def idle_cpu_percent(mesh: RunningMesh) -> float:
    """Return the CPU that the mesh uses while nobody asks anything, in percent of one core."""
    return await _cpu_percent(mesh, _IDLE_S)


async def _cpu_percent(mesh: RunningMesh, duration_s: float) -> float:
    before = cpu_by_process(mesh)
    await asyncio.sleep(duration_s)
    after = cpu_by_process(mesh)
    return (sum(after.values()) - sum(before.values())) / duration_s * 100


async def sandbox_timings(mesh: RunningMesh, count: int, limit_s: float) -> dict[str, Timings]:
    """Time a sandboxed Python program over gRPC and a plain Python process in turns."""
    channel = mesh.channel("sandbox")
    stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
    # The interpreter itself: what `python3` names may be a script that looks for one first.
    python = str(Path(sys.base_prefix) / "bin" / "python3")

    async def sandboxed() -> float:
        return await timed(_execute(stub))

    async def plain() -> float:
        return await timed(_spawn(python))

    try:
        return await interleaved({"sandbox": sandboxed, "plain": plain}, count, limit_s)
    finally:
        await channel.close()


async def _direct(session: aiohttp.ClientSession, provider_url: str) -> None:
    body = {
        "model": "scripted-chat",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    async with session.post(f"{provider_url}/chat/completions", json=body) as response:
        await response.read()


async def _query(agent: AgentClient) -> None:
    _completed(await agent.query(QUESTION, model=MODEL))


async def _first_token_ms(agent: AgentClient) -> float:
    query = agent_pb2.QueryAgentRequest(question=QUESTION, model=MODEL)
    began = time.perf_counter()
    first_ms = 0.0
    async for reply in agent.stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query), timeout=30):
        if not first_ms and reply.event.WhichOneof("payload") == "token_delta":
            first_ms = (time.perf_counter() - began) * 1000
    if not first_ms:
        raise WrongAnswerError("StreamQuery gave no token.")
    return first_ms


async def _execute(stub: Any) -> None:
    request = sandbox_pb2.ExecuteRequest(language=sandbox_pb2.LANGUAGE_PYTHON, code="pass")
    last = None
    async for reply in stub.Execute(request, timeout=30):
        last = reply
    if last is None or last.finished.status != sandbox_pb2.EXECUTION_STATUS_OK:
        raise WrongAnswerError(f"The sandbox did not run the program: {last}")


async def _spawn(python: str) -> None:
    process = await asyncio.create_subprocess_exec(python, "-I", "-S", "-c", "pass")
    await process.wait()


def _completed(run: agent_pb2.Run) -> None:
    if run.status != agent_pb2.RUN_STATUS_COMPLETED:
        raise WrongAnswerError(f"The run failed: {run.failure}")
