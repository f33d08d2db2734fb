"""Times stateless runs of the sandbox over gRPC with its real backend, beside a plain interpreter.

`python -m benchmarks.sandbox_bench`: prints a table and one line of JSON. No mesh is started.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import NoReturn

import uvloop

from benchmarks.report import Row, as_json, show
from benchmarks.timing import interleaved, timed
from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from sandbox_service.main import build
from sandbox_service.settings import Settings
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies
from shared.telemetry.logging import configure_logging
from shared.testing.harness import serving

COUNT = 60
LIMIT_S = 30.0
TARGET_MS = 60.0
SIDE_BY_SIDE = 4
ROUNDS = 10


def _no_channel(_address: str) -> NoReturn:
    raise AssertionError("the sandbox calls nobody")


async def measure() -> list[Row]:
    """Return the timings of runs one after the other and side by side."""
    configure_logging("bench", "WARNING")
    async with serving(build(Settings(), Dependencies(SystemClock(), new_id, _no_channel))) as served:
        stub = sandbox_pb2_grpc.SandboxServiceStub(served.channel)
        request = sandbox_pb2.ExecuteRequest(language=sandbox_pb2.LANGUAGE_PYTHON, code="print(6 * 7)")

        async def run() -> None:
            last = [event async for event in stub.Execute(request, timeout=10)][-1]
            if last.finished.status != sandbox_pb2.EXECUTION_STATUS_OK:
                raise RuntimeError(f"the run ended with {last.finished}")

        async def plain() -> None:
            argv = [sys.executable, "-I", "-S", "-c", "print(6 * 7)"]
            await asyncio.to_thread(subprocess.run, argv, check=True, stdout=subprocess.DEVNULL)

        found = await interleaved({"run": lambda: timed(run()), "plain": lambda: timed(plain())}, COUNT, LIMIT_S)
        began = time.perf_counter()
        for _ in range(ROUNDS):
            await asyncio.gather(*(run() for _ in range(SIDE_BY_SIDE)))
        rate = SIDE_BY_SIDE * ROUNDS / (time.perf_counter() - began)
    return [
        Row("sandbox run p50", found["run"].p50, "ms", TARGET_MS),
        Row("sandbox run p95", found["run"].p95, "ms"),
        Row("plain python3 -I -S p50 (reference)", found["plain"].p50, "ms"),
        Row(f"sandbox runs, {SIDE_BY_SIDE} side by side", rate, "1/s"),
    ]


def main() -> None:
    """Measure and print."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure())
    show(rows)
    print(json.dumps(as_json(rows)))


if __name__ == "__main__":
    main()
