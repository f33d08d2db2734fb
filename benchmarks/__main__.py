"""Measures a fresh mesh with the scripted provider, prints a table and writes build/bench.json. About a minute.

Times are medians and 95th percentiles of calls made one after the other, in turns with their reference, since other
programs use the machine too. Compare within one run only.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import measurements, processes, router_decisions, router_ledger, router_overhead
from benchmarks.report import Row, as_json, show
from benchmarks.timing import Timings
from shared.testing.running_mesh import RunningMesh, running_mesh, scripted_process

OUTPUT = Path(__file__).resolve().parent.parent / "build" / "bench.json"
CALLS = 100
STARTS = 3
LEAST_CPU_MS = 0.05
SECTION_LIMIT_S = 12.0
MIB = 1024 * 1024

PROVIDERS = """\
version: 1
providers:
  local:
    type: local
    models:
      - {name: chat, chat: true, context_length: 4096, max_output_tokens: 256, demonstration: true}
      - {name: embed, embeddings: true, dimensions: 384, context_length: 512}
  scripted:
    type: openai_compatible
    base_url: URL
    models:
      - {name: scripted-chat, chat: true, tool_calling: true, context_length: 100000}
chains:
  chat: [local/chat]
  embed: local/embed
"""


async def measure(mesh: RunningMesh, provider_url: str) -> list[Row]:
    """Return every measurement of a running mesh that has the scripted provider."""
    await measurements.warm_up(mesh)
    await measurements.settle(mesh)
    idle_cpu = await measurements.idle_cpu_percent(mesh)
    memory = processes.memory_by_process(mesh)
    agent = await measurements.agent_timings(mesh, provider_url, CALLS, SECTION_LIMIT_S)
    cpu = await measurements.cpu_per_request_ms(mesh, CALLS)
    sandbox = await measurements.sandbox_timings(mesh, CALLS // 2, SECTION_LIMIT_S)
    router_us = await router_overhead.cpu_per_call_us(mesh, provider_url)
    return [
        *_memory_rows(memory),
        Row("idle CPU, whole mesh", idle_cpu, "% of a core"),
        *_agent_rows(agent),
        *(
            Row(f"CPU per QueryAgent, {name}", spent_ms, "ms")
            for name, spent_ms in cpu.items()
            if spent_ms >= LEAST_CPU_MS
        ),
        Row("CPU per QueryAgent, whole mesh", sum(cpu.values()), "ms"),
        Row("sandbox run p50", sandbox["sandbox"].p50, "ms", 60),
        Row("sandbox run p95", sandbox["sandbox"].p95, "ms"),
        Row("plain python3 -I -S -c pass, p50 (reference)", sandbox["plain"].p50, "ms"),
        *_router_rows(router_us),
    ]


def _router_rows(cpu_us: dict[str, float]) -> list[Row]:
    echo, forwarder, router = cpu_us["echo"], cpu_us["forwarder"], cpu_us["router"]
    return [
        *(Row(f"CPU per ChatCompletion, {name}", spent_us, "us") for name, spent_us in cpu_us.items()),
        Row("router, times a bare gRPC echo", router / echo, "x", 2),
        Row("router, times a bare gRPC forwarder", router / forwarder, "x"),
    ]


def _memory_rows(memory: dict[str, processes.Memory]) -> list[Row]:
    pss = sum(found.pss_bytes for found in memory.values()) / MIB
    rss = sum(found.rss_bytes for found in memory.values()) / MIB
    return [
        *(Row(f"idle memory, {name} (PSS)", found.pss_bytes / MIB, "MiB") for name, found in memory.items()),
        Row("idle memory, whole mesh (PSS)", pss, "MiB", 1024),
        Row("idle memory, whole mesh (RSS)", rss, "MiB"),
    ]


def _agent_rows(timings: dict[str, Timings]) -> list[Row]:
    query, first_token, direct = timings["query"], timings["first_token"], timings["direct"]
    return [
        Row("QueryAgent p50", query.p50, "ms"),
        Row("QueryAgent p95", query.p95, "ms"),
        Row("StreamQuery first token p50", first_token.p50, "ms"),
        Row("StreamQuery first token p95", first_token.p95, "ms"),
        Row("direct provider call p50 (reference)", direct.p50, "ms"),
        Row("orchestration overhead p50", query.p50 - direct.p50, "ms", 25),
    ]


def measure_everything(folder: Path) -> list[Row]:
    """Start a fresh mesh several times, for the time it takes, and measure the last one."""
    ready_s: list[float] = []
    rows: list[Row] = []
    with scripted_process() as provider_url:
        providers_file = folder / "providers.yaml"
        providers_file.write_text(PROVIDERS.replace("URL", provider_url))
        for start in range(STARTS):
            with running_mesh(folder / f"data{start}", providers_file, os.environ) as mesh:
                ready_s.append(mesh.ready_s)
                if start == STARTS - 1:
                    rows = asyncio.run(measure(mesh, provider_url))
    return [
        Row(f"mesh ready, fresh data, median of {STARTS}", statistics.median(ready_s), "s", 5),
        *rows,
        *router_decisions.measure(),
        *asyncio.run(router_ledger.measure(folder / "ledger")),
    ]


def main() -> None:
    """Measure, print the table and write the file."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        rows = measure_everything(Path(folder))
    show(rows)
    document = {
        "measured_at": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "rows": as_json(rows),
    }
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")
    print(f"Written to {OUTPUT}")


if __name__ == "__main__":
    main()
