"""Times the sandbox over gRPC with its real backend and every limit on, beside bubblewrap and a plain interpreter.

`python -m benchmarks.sandbox [--quick]`: prints a table and one line of JSON. No mesh is started; the service is a
process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from benchmarks.report import Row, as_json, show
from benchmarks.sandbox.attack import HEAVY_S
from benchmarks.sandbox.client import Client
from benchmarks.sandbox.leftovers import Leftovers, warm_memory_mb
from benchmarks.timing import Timings, interleaved, timed

SIDE_BY_SIDE = 4
STORM = 500
FURTHER = 4
IDLE_S = 12.0
LIMIT_S = 60.0
BUBBLEWRAP = (
    *("bwrap", "--ro-bind", "/", "/", "--unshare-all", "--die-with-parent", "--proc", "/proc", "--dev", "/dev"),
    *("--tmpfs", "/tmp"),  # noqa: S108  inside
)


@asynccontextmanager
async def service() -> AsyncGenerator[tuple[str, int], None]:
    """Run the service; yields its address and its process id."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.sandbox.bench_service", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        said = await process.stdout.readline() if process.stdout else b""
        yield said.decode().strip(), process.pid
    finally:
        if process.stdin:
            process.stdin.close()
        await process.wait()


async def _once(*argv: str) -> None:
    await asyncio.to_thread(subprocess.run, argv, check=True, stdout=subprocess.DEVNULL)


async def latency(client: Client, count: int) -> list[Row]:
    """Return the times of single runs and cells beside their references."""
    plain = (str(Path(sys.executable).resolve()), "-I", "-S", "-c", "print(6 * 7)")
    calls = {
        "run": lambda: timed(client.good()),
        "strict": lambda: timed(client.good(strict=True)),
        "plain": lambda: timed(_once(*plain)),
    }
    if shutil.which("bwrap"):
        calls["bwrap"] = lambda: timed(_once(*BUBBLEWRAP, *plain))
    found = await interleaved(calls, count, LIMIT_S)
    rows = [
        Row("stateless run p50", found["run"].p50, "ms", target=15.0),
        Row("stateless run p95", found["run"].p95, "ms"),
        Row("strict run (interpreter of its own) p50", found["strict"].p50, "ms"),
        *await cells(client, count),
        Row("plain python3 -I -S p50 (reference)", found["plain"].p50, "ms"),
    ]
    if "bwrap" in found:
        rows.append(Row("bubblewrap python3 -I -S p50 (reference)", found["bwrap"].p50, "ms"))
    return rows


async def cells(client: Client, count: int) -> list[Row]:
    """Return the times of cells that follow each other, as people and agents run them."""
    session = await client.session()
    await client.cell(session)
    found = Timings([await timed(client.cell(session)) for _ in range(count)])
    return [
        Row("session cell p50", found.p50, "ms", target=2.0),
        Row("session cell p95", found.p95, "ms"),
    ]


async def throughput(client: Client, runs: int) -> list[Row]:
    """Return runs a second from several callers, of which nothing must be left."""
    before = Leftovers.now()

    async def caller() -> None:
        for _ in range(runs // SIDE_BY_SIDE):
            await client.good()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(SIDE_BY_SIDE)))
    took_s = time.perf_counter() - began
    await asyncio.sleep(1.0)
    left = Leftovers.now().beyond(before)
    return [
        Row(f"stateless runs, {SIDE_BY_SIDE} callers", runs / took_s, "1/s", least=100.0),
        *(Row(f"left of {runs} runs: {what}", number, "", target=0.0) for what, number in left.items()),
    ]


async def storm(address: str, victim: Client, count: int) -> list[Row]:
    """Return what one organisation's storm, from a process of its own, does to another one's runs."""
    idle = Timings([await timed(victim.good()) for _ in range(count)])
    attacker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.sandbox.attack", address, str(STORM), stdout=subprocess.PIPE
    )
    try:
        if attacker.stdout:
            await attacker.stdout.readline()
        await asyncio.sleep(HEAVY_S)
        busy = Timings([await timed(victim.good()) for _ in range(count)])
    finally:
        attacker.kill()
        await attacker.wait()
    return [
        Row("p50 of an organisation, idle", idle.p50, "ms"),
        Row("p95 of an organisation, idle", idle.p95, "ms"),
        Row(f"p50 beside a storm of {STORM} heavy runs", busy.p50, "ms"),
        Row(f"p95 beside a storm of {STORM} heavy runs", busy.p95, "ms"),
        Row("p95 in the storm over p95 idle", busy.p95 / idle.p95, "x", target=3.0),
    ]


async def memory(address: str, process_id: int) -> list[Row]:
    """Return what one more organisation's warm zygote takes, with the one sandbox that it keeps ready when idle."""
    before = warm_memory_mb(process_id)
    for number in range(FURTHER):
        client = Client(address, f"further-{number}")
        await client.good()
        await client.close()
    await asyncio.sleep(IDLE_S)
    more = (warm_memory_mb(process_id) - before) / FURTHER
    return [Row("memory of one more warm zygote", more, "MB", target=10.0)]


async def measure(*, quick: bool) -> list[Row]:
    """Return all measurements."""
    async with service() as (address, process_id):
        client = Client(address, "victim")
        await client.good()
        rows = await latency(client, 30 if quick else 150)
        rows += await throughput(client, 200 if quick else 1000)
        await asyncio.sleep(IDLE_S)
        rows += await memory(address, process_id)
        rows += await storm(address, client, 50 if quick else 200)
        await client.close()
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description="Measures the sandbox.")
    parser.add_argument("--quick", action="store_true", help="fewer calls")
    quick = bool(parser.parse_args().quick)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(measure(quick=quick))
    show(rows, "The sandbox")
    print(json.dumps(as_json(rows)))


if __name__ == "__main__":
    main()
