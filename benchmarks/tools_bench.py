"""Times calls of a trivial tool over gRPC with everything that stands around tools, beside a bare gRPC echo.

`python -m benchmarks.tools_bench`: prints a table and one line of JSON. No mesh is started: the tool executor is wired
as in production (policies, quotas and audit on SQLite, schemas, breaker, places, guard, metrics), with a settings
service that has nothing to say. Client and servers share one process, so that a call costs what all of them do.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import grpc
import uvloop

from benchmarks.report import Row, as_json, show
from benchmarks.timing import Timings, interleaved, timed
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies, Registration, Service
from shared.telemetry.logging import configure_logging
from shared.testing.harness import serving
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.adapters.tool_index_embedding import EmbeddingToolIndex
from tool_executor.main import build
from tool_executor.ports.embedder import Embedded, Vector
from tool_executor.settings import Settings

COUNT = 500
LIMIT_S = 30.0
TARGET_MS = 2.0
SIDE_BY_SIDE = 8
ROUNDS = 50
TOOLS = 300
DIMENSIONS = 384
SEARCH_TARGET_MS = 5.0
_ECHO = "/bench.Echo/Echo"


class _Settings(settings_pb2_grpc.SettingsServiceServicer):
    """Settings of an organisation that changed nothing."""

    async def GetConfig(self, _request: object, _context: object) -> settings_pb2.GetConfigResponse:  # noqa: N802
        return settings_pb2.GetConfigResponse(config=settings_pb2.Config())

    async def WatchConfig(  # noqa: N802
        self, _request: object, _context: object
    ) -> AsyncIterator[settings_pb2.WatchConfigResponse]:
        yield settings_pb2.WatchConfigResponse(config=settings_pb2.Config())
        await asyncio.Event().wait()


class _RandomEmbedder:
    """Makes vectors of unit length at once, so that the search alone is measured."""

    async def embed(self, texts: Sequence[str], model: str = "") -> Embedded:
        return Embedded(model or "bench/random", [_random_vector() for _ in texts])


def _random_vector() -> Vector:
    values = [random.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]


async def _echo_channel(stack: AsyncExitStack, folder: Path) -> grpc.aio.Channel:
    """Return a channel to a server that gives back what it gets, and does nothing else."""

    async def echo(request: bytes, _context: object) -> bytes:
        return request

    server = grpc.aio.server()
    service, _, method = _ECHO.removeprefix("/").partition("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"unix:{folder}/echo")
    await server.start()
    stack.push_async_callback(server.stop, 0)
    return await stack.enter_async_context(
        grpc.aio.insecure_channel(f"unix:{folder}/echo", options=[("grpc.default_authority", "nexus")])
    )


async def _calls(stack: AsyncExitStack, folder: Path) -> tuple[Timings, Timings, float]:
    """Return the timings of tool calls and of echoes, and tool calls a second side by side."""
    family = settings_pb2.DESCRIPTOR.services_by_name["SettingsService"]
    registration = Registration(settings_pb2_grpc.add_SettingsServiceServicer_to_server, _Settings(), family)
    settings = await stack.enter_async_context(serving(Service("settings", [registration])))

    def channel(address: str) -> grpc.aio.Channel:
        if address == "settings":
            return settings.channel
        opened = open_channel(f"unix:{folder}/nobody", lambda _principal: None)
        stack.push_async_callback(opened.close)
        return opened

    wired = build(
        Settings(settings_address="settings", data_dir=folder, calculator_warm_up_delay_s=600),
        Dependencies(SystemClock(), new_id, channel),
    )
    served = await stack.enter_async_context(serving(wired))
    stub = tools_pb2_grpc.ToolServiceStub(served.channel)
    bare = await _echo_channel(stack, folder)
    sent = tools_pb2.ExecuteToolRequest(name="get_current_time", arguments_json='{"time_zone": "UTC"}')

    async def run() -> None:
        request = tools_pb2.ExecuteToolRequest(
            name=sent.name, arguments_json=sent.arguments_json, request_id=new_id(), run_id="bench"
        )
        reply = await stub.ExecuteTool(request, timeout=10)
        if reply.result.status != tools_pb2.TOOL_STATUS_OK:
            raise RuntimeError(f"the call ended with {reply.result}")

    echo = bare.unary_unary(_ECHO)

    async def plain() -> None:
        answer: Awaitable[bytes] = echo(sent.SerializeToString(), timeout=10)
        await answer

    found = await interleaved({"run": lambda: timed(run()), "plain": lambda: timed(plain())}, COUNT, LIMIT_S, 20)
    began = time.perf_counter()
    for _ in range(ROUNDS):
        await asyncio.gather(*(run() for _ in range(SIDE_BY_SIDE)))
    return found["run"], found["plain"], SIDE_BY_SIDE * ROUNDS / (time.perf_counter() - began)


async def _searches() -> tuple[Timings, float]:
    """Return the timings of searches over many tools whose vectors are there, and the CPU of one in milliseconds.

    The embedding of the question is none of it.
    """
    model = load_definition("get_user_context")
    said = model.description
    tools = [replace(model, name=f"tool_{each}", description=f"{each} {said}") for each in range(TOOLS)]
    index = EmbeddingToolIndex(_RandomEmbedder())
    await index.nearest("What is on tomorrow?", tools, 8)
    count, began = COUNT // 5, time.process_time()
    search = {"search": lambda: timed(index.nearest("What is on tomorrow?", tools, 8))}
    found = await interleaved(search, count, LIMIT_S, warmup=0)
    return found["search"], (time.process_time() - began) * 1000 / count


async def measure() -> list[Row]:
    """Return all timings."""
    configure_logging("bench", "WARNING")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nx")))
        run, plain, rate = await _calls(stack, folder)
    search, search_cpu_ms = await _searches()
    return [
        Row("tool call over gRPC p50", run.p50, "ms", TARGET_MS),
        Row("tool call over gRPC p95", run.p95, "ms"),
        Row("bare gRPC echo p50 (reference)", plain.p50, "ms"),
        Row(f"tool calls, {SIDE_BY_SIDE} side by side", rate, "1/s"),
        Row(f"search over {TOOLS} tools, CPU", search_cpu_ms, "ms", SEARCH_TARGET_MS),
        Row(f"search over {TOOLS} tools p50", search.p50, "ms"),
    ]


def main() -> None:
    """Measure and print."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure())
    show(rows)
    print(json.dumps(as_json(rows)))


if __name__ == "__main__":
    main()
