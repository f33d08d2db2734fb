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
from contextlib import asynccontextmanager, suppress

import uvloop

from benchmarks.report import Row, as_json, show
from benchmarks.sandbox.client import Client
from benchmarks.sandbox.leftovers import Leftovers, warm_memory_mb
from benchmarks.timing import Timings, interleaved, timed

SIDE_BY_SIDE = 4
STORM = 500
HEAVY = "held = bytearray(50_000_000)\nwhile True: pass"
HEAVY_S = 2
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
    plain = (sys.executable, "-I", "-S", "-c", "print(6 * 7)")
    session = await client.session()
    calls = {
        "run": lambda: timed(client.good()),
        "strict": lambda: timed(client.good(strict=True)),
        "cell": lambda: timed(client.cell(session)),
        "plain": lambda: timed(_once(*plain)),
    }
    if shutil.which("bwrap"):
        calls["bwrap"] = lambda: timed(_once(*BUBBLEWRAP, *plain))
    found = await interleaved(calls, count, LIMIT_S)
    rows = [
        Row("stateless run p50", found["run"].p50, "ms", target=15.0),
        Row("stateless run p95", found["run"].p95, "ms"),
        Row("strict run (interpreter of its own) p50", found["strict"].p50, "ms"),
        Row("session cell p50", found["cell"].p50, "ms", target=2.0),
        Row("session cell p95", found["cell"].p95, "ms"),
        Row("plain python3 -I -S p50 (reference)", found["plain"].p50, "ms"),
    ]
    if "bwrap" in found:
        rows.append(Row("bubblewrap python3 -I -S p50 (reference)", found["bwrap"].p50, "ms"))
    return rows


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
    """Return what one organisation's storm does to another one's runs."""
    idle = Timings([await timed(victim.good()) for _ in range(count)])
    attacker = Client(address, "storm")
    raging = [asyncio.create_task(attacker.stubborn(HEAVY, HEAVY_S)) for _ in range(STORM)]
    await asyncio.sleep(HEAVY_S)
    busy = Timings([await timed(victim.good()) for _ in range(count)])
    for task in raging:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*raging, return_exceptions=True)
    await attacker.close()
    return [
        Row("p95 of an organisation, idle", idle.p95, "ms"),
        Row(f"p95 beside a storm of {STORM} heavy runs", busy.p95, "ms"),
        Row("p95 in the storm over p95 idle", busy.p95 / idle.p95, "x", target=3.0),
    ]


async def measure(*, quick: bool) -> list[Row]:
    """Return all measurements."""
    async with service() as (address, process_id):
        client = Client(address, "victim")
        await client.good()
        rows = await latency(client, 30 if quick else 150)
        rows += await throughput(client, 200 if quick else 1000)
        rows.append(
            Row("memory of a warm zygote and what it keeps ready", warm_memory_mb(process_id), "MB", target=10.0)
        )
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
