"""Loads the router of a mesh for minutes and says whether it grows: `python -m benchmarks.soak --minutes 10`.

Callers ask as fast as they are answered, at most `IN_FLIGHT` at once: whole answers and streams, some of which the
caller leaves, some of which need a second provider since the first one fails. Every second the router's memory,
files, threads and database are noted.

Flat means: RSS (PSS moves with other processes that share pages) grows by at most `FLAT_MIB_PER_HOUR` over the last
half of the samples, files and threads by at most `FLAT_PER_HOUR` over all but the first tenth, even by the upper bound
of their slopes at 95 % (`trend.py` says how). The first half is for memories that fill up to their bounds; files and
threads are there at once, and their number moves with the calls in flight, so it takes more samples to tell. The ledger
and the decisions are kept, so the database grows; its bytes for each call are shown. A router that breaks, or answers
fewer than half of its calls, is no witness.

Ends with 0 when all is flat, with 1 when something grows or the router broke, with 2 when nobody can say: run longer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.trend import Trend, Verdict, trend_of
from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from shared.testing.running_mesh import RunningMesh, running_mesh, scripted_process

IN_FLIGHT = 12
SAMPLE_S = 1.0
FLAT_MIB_PER_HOUR = 30.0
"""So a router that never restarts grows by at most 5 GiB a week; one that leaks a kilobyte a call grows far faster."""
FLAT_PER_HOUR = 20.0
_BROKEN = frozenset({"INTERNAL", "UNKNOWN"})
MIB = 1024 * 1024
PROVIDERS = """\
version: 1
providers:
  local:
    type: local
    models:
      - {name: embed, embeddings: true, dimensions: 384, context_length: 512}
  shaky:
    type: openai_compatible
    base_url: SHAKY
    models:
      - {name: small, chat: true, context_length: 32000, usd_per_million_tokens: {input: 1, output: 2}}
  steady:
    type: openai_compatible
    base_url: STEADY
    models:
      - {name: large, chat: true, context_length: 32000, usd_per_million_tokens: {input: 2, output: 4}}
chains:
  chat: [shaky/small, steady/large]
  embed: local/embed
"""
LIMITS = """\
version: 1
budgets:
  - {scope: organisation, period: month, usd: 1000000}
  - {scope: user, period: day, usd: 1000000}
rate_limits:
  - {scope: user, requests_per_minute: 10000000}
"""
# A cache that is full within a minute, so that what is measured is a router that also has to forget.
OVERRIDES = {"NEXUS_ROUTER_CACHE_ENTRIES": "4000"}
_LONG = {"type": "reply", "text": "tick " * 40, "chunk_size": 10, "chunk_delay_s": 0.01}
SCRIPT = {
    "rules": [
        {"user_contains": "be overloaded", "model": "small", "then": {"type": "status", "code": 503}},
        {"user_contains": "drop the line", "model": "small", "then": {"type": "reset", "after_chunks": 0}},
        {"user_contains": "talk garbage", "model": "small", "then": {"type": "garbage"}},
        {"user_contains": "break off", "then": {"type": "truncate", "after_chunks": 2}},
        {"user_contains": "take long", "then": _LONG},
    ]
}
# What is asked how often: good ones, those that the caller leaves, those that need another provider, those that fail.
_QUESTIONS = ("Good morning",) * 14 + (
    "take long",
    "take long",
    "be overloaded",
    "drop the line",
    "talk garbage",
    "break off",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The router at one moment; memory and database in bytes, `calls` since the start, `gauges` of its own."""

    time_s: float
    rss: int
    pss: int
    files: int
    threads: int
    database: int
    calls: int
    gauges: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(slots=True)
class Soak:
    """Asks until it is told to stop, and counts how calls ended."""

    stub: Any
    endings: Counter[str] = field(default_factory=Counter[str])
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def work(self, seed: int) -> None:
        """Asks one question after the other until cancelled."""
        dice = random.Random(seed)  # noqa: S311  not for secrets
        while True:
            # Most texts are new, as those of people are.
            text = f"{dice.choice(_QUESTIONS)}, number {next(self.numbers)}"
            ask = self._leave if "take long" in text else dice.choice((self._whole, self._stream))
            try:
                ending = await ask(_request(text, dice))
            except grpc.aio.AioRpcError as error:
                ending = error.code().name
                # Whoever is refused does not ask again at once.
                await asyncio.sleep(0.02)
            self.endings[ending] += 1

    async def _whole(self, request: pb.ChatCompletionRequest) -> str:
        reply = await self.stub.ChatCompletion(request, timeout=30)
        return f"answered by {reply.model}"

    async def _stream(self, request: pb.ChatCompletionRequest) -> str:
        ended = ""
        async for event in self.stub.StreamChatCompletion(_streamed(request), timeout=30):
            ended = event.WhichOneof("event") or ""
        return f"streamed, {ended} at the end"

    async def _leave(self, request: pb.ChatCompletionRequest) -> str:
        call = self.stub.StreamChatCompletion(_streamed(request), timeout=30)
        for _ in range(3):
            await call.read()
        call.cancel()
        return "left by the caller"


def _request(text: str, dice: random.Random) -> pb.ChatCompletionRequest:
    message = pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text=text)])
    # A third follows the operator's chain; the others are decided over. Conversations are few, so that what the router
    # remembers of each, up to a bound, is remembered soon and does not look like a leak.
    routing = pb.RoutingOptions(
        tier=dice.choice(("", "fast", "balanced")),
        conversation_id=f"conversation-{dice.randrange(2_000)}" if dice.random() < 0.5 else "",
        cache_mode=dice.choice((pb.CACHE_MODE_UNSPECIFIED, pb.CACHE_MODE_EXACT)),
    )
    return pb.ChatCompletionRequest(messages=[message], routing=routing, max_output_tokens=200)


def _streamed(request: pb.ChatCompletionRequest) -> pb.StreamChatCompletionRequest:
    return pb.StreamChatCompletionRequest(request=request)


async def soak(mesh: RunningMesh, minutes: float) -> tuple[list[Sample], Counter[str]]:
    """Load the router for so long; returns the samples, and how the calls ended."""
    channel = mesh.channel("router")
    load = Soak(router_pb2_grpc.RouterServiceStub(channel))
    workers = [asyncio.create_task(load.work(seed)) for seed in range(IN_FLIGHT)]
    process, began = psutil.Process(mesh.pids()["router"]), time.monotonic()
    samples: list[Sample] = []
    try:
        while time.monotonic() - began < minutes * 60:
            await asyncio.sleep(SAMPLE_S)
            _raise_if_over(workers)
            samples.append(sample(process, mesh.data / "db", time.monotonic() - began, load.endings.total()))
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await channel.close()
    return samples, load.endings


def _raise_if_over(workers: Sequence[asyncio.Task[None]]) -> None:
    for worker in workers:
        if worker.done():
            worker.result()


def sample(process: psutil.Process, folder: Path, time_s: float, calls: int) -> Sample:
    """Look at the router, whose database is in that folder."""
    memory = process.memory_full_info()
    database = sum(file.stat().st_size for file in folder.glob("router.sqlite*") if file.is_file())
    return Sample(time_s, memory.rss, memory.pss, process.num_fds(), process.num_threads(), database, calls)


def trends(samples: Sequence[Sample]) -> list[tuple[str, Trend, str, float]]:
    """What may not grow: its name, its trend, its unit, and the most that is flat."""

    def trend(begin: int, value: Callable[[Sample], float]) -> Trend:
        return trend_of([(each.time_s, value(each)) for each in samples[begin:]])

    half, tenth = len(samples) // 2, len(samples) // 10
    return [
        ("memory (RSS)", trend(half, lambda each: each.rss / MIB), "MiB/h", FLAT_MIB_PER_HOUR),
        ("open files", trend(tenth, lambda each: each.files), "/h", FLAT_PER_HOUR),
        ("threads", trend(tenth, lambda each: each.threads), "/h", FLAT_PER_HOUR),
        *(
            (name, trend(tenth, lambda each, name=name: each.gauges[name]), "/h", FLAT_PER_HOUR)
            for name in samples[0].gauges
        ),
    ]


def has_served(endings: Counter[str]) -> bool:
    """Whether the router did its work: it broke never, and most calls were answered or left by their caller."""
    well = sum(count for ending, count in endings.items() if not ending.isupper())
    return not endings.keys() & _BROKEN and 2 * well >= endings.total() > 0


def show(samples: Sequence[Sample], endings: Counter[str], *, served: bool) -> int:
    """Print the samples, the endings and the verdicts; returns the exit code."""
    console = Console()
    console.print(_table(samples))
    for ending, count in endings.most_common():
        console.print(f"{count:>9,} {ending}")
    first, last = samples[len(samples) // 2], samples[-1]
    grown = (last.database - first.database) / max(1, last.calls - first.calls)
    console.print(f"The database grows by {grown:,.0f} bytes a call.")
    verdicts: set[Verdict] = set()
    for name, trend, unit, most in trends(samples):
        verdict = trend.verdict(most)
        verdicts.add(verdict)
        bounds = f"{trend.slope:+.1f} ({trend.low:+.1f} to {trend.high:+.1f}) {unit}"
        console.print(f"{name}: {bounds}, {verdict} (at most {most:g})")
    if not served:
        console.print("The router did not serve: what it did is no witness.")
        return 1
    return 1 if Verdict.GROWS in verdicts else 2 if Verdict.UNDECIDED in verdicts else 0


def _table(samples: Sequence[Sample]) -> Table:
    table = Table(title="Soak of the router")
    for heading in ("minute", "calls/s", "RSS MiB", "PSS MiB", "files", "threads", "database MiB"):
        table.add_column(heading, justify="right")
    step = max(1, len(samples) // 20)
    for before, now in itertools.pairwise(samples[::step]):
        rate = (now.calls - before.calls) / (now.time_s - before.time_s)
        values = (now.time_s / 60, rate, now.rss / MIB, now.pss / MIB)
        counts = (str(now.files), str(now.threads), f"{now.database / MIB:.1f}")
        table.add_row(*(f"{value:.1f}" for value in values), *counts)
    return table


def main() -> None:
    """Soak, print the table, and end with what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes: float = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="nexus-soak-") as name:
        folder = Path(name)
        script = folder / "script.json"
        script.write_text(json.dumps(SCRIPT))
        (folder / "limits.yaml").write_text(LIMITS)
        file = folder / "providers.yaml"
        with scripted_process("--script", str(script)) as shaky, scripted_process("--script", str(script)) as steady:
            file.write_text(PROVIDERS.replace("SHAKY", shaky).replace("STEADY", steady))
            with running_mesh(folder / "data", file, os.environ, OVERRIDES) as mesh:
                samples, endings = asyncio.run(soak(mesh, minutes))
    sys.exit(show(samples, endings, served=has_served(endings)))


if __name__ == "__main__":
    main()
