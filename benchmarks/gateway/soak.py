"""Loads the gateway over HTTP for minutes and says whether it grows: `python -m benchmarks.gateway.soak --minutes 15`.

Callers of both dialects ask for whole answers and streams, of models and of tiers. Providers of both dialects answer,
and some of them refuse, reset, cut, stall and talk nonsense; some callers leave, before an answer or in the middle of
it. Every ending must be one of the dialect: a whole answer, or a typed error. Each second the router's memory, files,
threads, connections and tasks are noted; `benchmarks/soak.py` has the rule for what is flat. At the end, when nobody
asks any more, no connection, call, task or reservation may be left.

Ends with 0 when all is flat, with 1 when something grows, broke or was left behind, with 2 when nobody can say.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from benchmarks.gateway.children import cores, raise_file_limit
from benchmarks.gateway.nexus import RunningNexus, running
from benchmarks.gateway.soak_endings import BROKEN, CHAT, MESSAGES, of_stream, of_whole
from benchmarks.soak import SAMPLE_S, Sample, sample, show
from protos.gen.nexus.router.v1 import ledger_pb2, ledger_pb2_grpc
from shared.client.channel import open_channel
from shared.testing.running_mesh import scripted_process

IN_FLIGHT = 16
_QUIET_S = 20.0
# More than there are connections to the database for reading.
_READS = 16
# Far more than the limits of the tiers come to.
_LONGEST_S = 30.0
PROVIDERS = """\
version: 1
providers:
  shaky:
    type: openai_compatible
    base_url: SHAKY
    api_key_env: NEXUS_BENCHMARK_KEY
    models:
      - {name: small, chat: true, context_length: 32000, usd_per_million_tokens: {input: 1, output: 2}}
  steady:
    type: openai_compatible
    base_url: STEADY
    api_key_env: NEXUS_BENCHMARK_KEY
    models:
      - {name: large, chat: true, context_length: 32000, usd_per_million_tokens: {input: 2, output: 4}}
  claude:
    type: anthropic
    base_url: STEADY
    api_key_env: NEXUS_BENCHMARK_KEY
    models:
      - {name: other, chat: true, context_length: 32000, usd_per_million_tokens: {input: 2, output: 4}}
"""
_LONG = {"type": "reply", "text": "tick " * 40, "chunk_size": 10, "chunk_delay_s": 0.01}
SCRIPT = {
    "rules": [
        {"user_contains": "be overloaded", "model": "small", "then": {"type": "status", "code": 503}},
        {"user_contains": "drop the line", "model": "small", "then": {"type": "reset", "after_chunks": 0}},
        {"user_contains": "talk garbage", "model": "small", "then": {"type": "garbage"}},
        {"user_contains": "reset late", "then": {"type": "reset", "after_chunks": 2}},
        {"user_contains": "break off", "then": {"type": "truncate", "after_chunks": 2}},
        {"user_contains": "fall silent", "then": {"type": "hang", "before": "mid_stream"}},
        {"user_contains": "never begin", "model": "small", "then": {"type": "hang", "before": "headers"}},
        {"user_contains": "complain", "then": {"type": "error_in_stream", "after_chunks": 1}},
        {"user_contains": "take long", "then": _LONG},
    ]
}
_FAULTS = tuple(rule["user_contains"] for rule in SCRIPT["rules"] if rule["then"] is not _LONG)
# What is asked how often: faults together as often as good ones would be too many for a provider to be kept in use.
_QUESTIONS = ("Good morning",) * 3 * len(_FAULTS) + ("take long",) * 3 + _FAULTS
_MODELS = ("shaky/small", "steady/large", "claude/other", "nexus/auto", "nexus/fast")
# A provider that stalls is given up soon, so that many calls meet one.
RULES = """\
version: 1
tiers:
  fast: {first_token_timeout_ms: 2000, idle_timeout_ms: 1000, total_timeout_ms: 5000}
  balanced: {first_token_timeout_ms: 2000, idle_timeout_ms: 1000, total_timeout_ms: 5000}
"""
_SETTINGS = {
    "BREAKER_OPEN_S": "0.5",
    "BREAKER_OPEN_CAP_S": "2",
    "CACHE_ENTRIES": "4000",
}
_GAUGES = {
    "connections": "nexus_http_server_connections",
    "calls in flight": "http_server_active_requests",
    "provider calls": "nexus_router_in_flight",
    "tasks": "nexus_event_loop_tasks",
}


@dataclass(slots=True)
class Callers:
    """Ask until they are told to stop, and count how calls ended."""

    session: aiohttp.ClientSession
    endings: Counter[str] = field(default_factory=Counter[str])
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def work(self, seed: int) -> None:
        """Asks one question after the other until cancelled."""
        dice = random.Random(seed)  # noqa: S311  not for secrets
        while True:
            path, streamed = dice.choice((CHAT, MESSAGES)), dice.random() < 0.5
            text = f"{dice.choice(_QUESTIONS)}, number {next(self.numbers)}"
            body = {
                "model": dice.choice(_MODELS),
                "messages": [{"role": "user", "content": text}],
                "max_tokens": 200,
                "stream": streamed,
            }
            try:
                ending = await self._ask(path, body, leaves="take long" in text, streamed=streamed)
            except aiohttp.ClientError as error:
                ending = f"{BROKEN}: {type(error).__name__}"
            except TimeoutError:
                ending = f"{BROKEN}: no end within {_LONGEST_S:g} s"
            self.endings[ending] += 1
            if "refused" in ending:
                # Whoever is refused does not ask again at once.
                await asyncio.sleep(0.02)

    async def _ask(self, path: str, body: Mapping[str, object], *, leaves: bool, streamed: bool) -> str:
        if leaves and not streamed:
            return await self._leave_before(path, body)
        async with self.session.post(path, json=body) as response:
            if leaves and response.status == 200:
                for _ in range(3):
                    await response.content.readany()
                response.close()
                return f"{path} left in the middle"
            said = await response.read()
            return (of_stream if streamed else of_whole)(path, response.status, said)

    async def _leave_before(self, path: str, body: Mapping[str, object]) -> str:
        try:
            async with asyncio.timeout(0.05), self.session.post(path, json=body) as response:
                return of_whole(path, response.status, await response.read())
        except TimeoutError:
            return f"{path} left before an answer"


async def soak(nexus: RunningNexus, minutes: float) -> tuple[list[Sample], Counter[str], list[str]]:
    """Load the gateway for so long; returns the samples, how the calls ended, and what was left when all had ended."""
    url, process, database = f"http://127.0.0.1:{nexus.port}", nexus.routers[0], nexus.layout.root / "db"
    # x-api-key serves both dialects.
    async with (
        aiohttp.ClientSession() as watcher,
        aiohttp.ClientSession(
            url, headers={"x-api-key": nexus.key}, timeout=aiohttp.ClientTimeout(total=_LONGEST_S)
        ) as session,
    ):
        await _fill_the_pool(nexus)
        before = await _gauges(watcher, nexus)
        load = Callers(session)
        workers = [asyncio.create_task(load.work(seed)) for seed in range(IN_FLIGHT)]
        samples: list[Sample] = []
        began = time.monotonic()
        try:
            while time.monotonic() - began < minutes * 60:
                await asyncio.sleep(SAMPLE_S)
                for worker in workers:
                    if worker.done():
                        worker.result()
                seen = sample(process, database, time.monotonic() - began, load.endings.total())
                samples.append(replace(seen, gauges=await _gauges(watcher, nexus)))
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        await session.close()
        return samples, load.endings, await _left_behind(watcher, nexus, before)


async def _fill_the_pool(nexus: RunningNexus) -> None:
    """Has the router open all the connections to its database for reading that it may have.

    It opens another one when two reads meet. Else some do so after minutes, and files and threads seem to grow.
    """
    async with open_channel(f"127.0.0.1:{nexus.grpc_port}", lambda _principal: nexus.key) as channel:
        ledger = ledger_pb2_grpc.LedgerServiceStub(channel)
        await asyncio.gather(
            *(ledger.ListLedgerAttempts(ledger_pb2.ListLedgerAttemptsRequest()) for _ in range(_READS))
        )


async def _gauges(watcher: aiohttp.ClientSession, nexus: RunningNexus) -> dict[str, float]:
    """What the router says of itself, summed over labels."""
    async with watcher.get(f"http://127.0.0.1:{nexus.metrics_port}/metrics") as response:
        told = await response.text()
    return {
        name: sum(float(value) for value in re.findall(rf"^{metric}(?:\{{.*\}})? (\S+)$", told, re.MULTILINE))
        for name, metric in _GAUGES.items()
    }


async def _left_behind(watcher: aiohttp.ClientSession, nexus: RunningNexus, before: Mapping[str, float]) -> list[str]:
    """What is still there that was not there before, once the router had time to tidy up."""
    deadline = time.monotonic() + _QUIET_S
    while True:
        now = await _gauges(watcher, nexus)
        left = [f"{now[name]:g} {name}, {before[name]:g} before" for name in now if now[name] > before[name]]
        reserved = await _reserved_micro_usd(nexus)
        if reserved:
            left.append(f"{reserved} millionths of a dollar reserved")
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(SAMPLE_S)


async def _reserved_micro_usd(nexus: RunningNexus) -> int:
    channel = open_channel(f"127.0.0.1:{nexus.grpc_port}", lambda _principal: nexus.key)
    async with channel:
        listed = await ledger_pb2_grpc.LedgerServiceStub(channel).ListBudgets(ledger_pb2.ListBudgetsRequest())
        return sum(budget.reserved_micro_usd for budget in listed.budgets)


def main() -> None:
    """Soak, print the table, and end with what it says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15.0)
    minutes: float = parser.parse_args().minutes
    raise_file_limit()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nexus-gateway-soak-")))
        script = folder / "script.json"
        script.write_text(json.dumps(SCRIPT))
        shaky, steady = (stack.enter_context(scripted_process("--script", str(script))) for _ in range(2))
        providers = PROVIDERS.replace("SHAKY", shaky).replace("STEADY", steady)
        nexus = stack.enter_context(running(folder, lambda file: _configure(file, providers), cores(), _SETTINGS))
        samples, endings, left = asyncio.run(soak(nexus, minutes))
    served = not any(ending.startswith(BROKEN) for ending in endings) and bool(endings)
    code = show(samples, endings, served=served)
    for each in left:
        print(f"Left behind: {each}")
    sys.exit(1 if left else code)


def _configure(file: Path, providers: str) -> None:
    """Write the providers and the rules; of the benchmark's configuration the limits stay."""
    file.write_text(providers)
    (file.parent / "routing" / "platform.yaml").write_text(RULES)


if __name__ == "__main__":
    main()
