"""CPU of a ChatCompletion inside the router, without gRPC and without a provider: what any other front would cost too.

    python -m benchmarks.router_core

In process, by the router's own wiring: conversion, features, decision with its record on disk, limits, ledger rows on
disk, breakers, metrics. The model is one that answers at once. CPU is that of the whole process, the writer's thread
included; the median of several rounds.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvloop

from benchmarks.report import Row, show
from protos.gen.nexus.router.v1 import router_pb2 as pb
from provider_router.adapters.model_source_http import HttpModelSource
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, ModelEvent, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.main import build
from provider_router.settings import Settings
from shared.auth.context import acting_as
from shared.auth.principal import Principal
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies

CALLS, ROUNDS = 1000, 5
PROVIDERS = """\
version: 1
providers:
  fake:
    type: openai_compatible
    base_url: http://127.0.0.1:9/v1
    models:
      - {name: free, chat: true, context_length: 100000, prices: [{from: 2025-01-01, input: 0, output: 0}]}
      - {name: paid, chat: true, context_length: 100000, prices: [{from: 2025-01-01, input: 1, output: 4}]}
"""
LIMITS = """\
version: 1
budgets:
  - {scope: organisation, period: month, usd: 1000000}
  - {scope: user, period: day, usd: 1000000}
rate_limits:
  - {scope: organisation, requests_per_minute: 1000000, tokens_per_minute: 1000000000}
"""
_PRINCIPAL = Principal("org", "user", frozenset({"owner"}), frozenset({"*"}), "key")
_Call = Callable[[str], Any]
_numbers = itertools.count()


class _AtOnce:
    """A model without a provider."""

    async def stream(self, *_: object) -> AsyncGenerator[ModelEvent, None]:
        """Two events."""
        yield TextDelta("You said: Good morning")
        yield Finished(FinishReason.STOP, TokenUsage(12, 6))


def _at_once(*_: object) -> _AtOnce:
    return _AtOnce()


class _Context:
    """All that the servicer asks of a call's context."""

    def time_remaining(self) -> float:
        """Seconds."""
        return 30.0


@asynccontextmanager
async def _router(folder: Path, limits: str) -> AsyncGenerator[_Call]:
    """A router on files of its own; gives its ChatCompletion."""
    folder.mkdir()
    (folder / "providers.yaml").write_text(PROVIDERS)
    (folder / "limits.yaml").write_text(limits)
    settings = Settings(data_dir=folder, providers_file=folder / "providers.yaml", probe_s=0)
    no_channel: Any = None
    service = build(settings, Dependencies(SystemClock(), new_id, no_channel))
    servicer: Any = service.registrations[0].servicer
    await service.start()
    try:
        yield lambda model: servicer.ChatCompletion(_request(model), _Context())
    finally:
        await service.stop()


def _request(model: str) -> pb.ChatCompletionRequest:
    """A text that was never seen before."""
    text = pb.ContentPart(text=f"Good morning, number {next(_numbers)}")
    user = pb.ChatMessage(role=pb.ROLE_USER, content=[text])
    return pb.ChatCompletionRequest(model=model, messages=[user], routing=pb.RoutingOptions(tier="fast"))


async def _cpu_us(call: _Call, model: str, at_once: int) -> float:
    async def work(calls: Iterator[int]) -> None:
        for _ in calls:
            await call(model)

    found: list[float] = []
    for turn in range(ROUNDS + 1):
        left, before = iter(range(CALLS)), time.process_time()
        await asyncio.gather(*(work(left) for _ in range(at_once)))
        if turn:
            found.append((time.process_time() - before) / CALLS * 1e6)
    return statistics.median(found)


async def measure(folder: Path) -> list[Row]:
    """Measure with little and with all that money asks for, many calls at once and one after the other."""
    rows: list[Row] = []
    with patch.object(HttpModelSource, "chat_model", _at_once), acting_as(_PRINCIPAL):
        async with _router(folder / "free", "version: 1\n") as free, _router(folder / "paid", LIMITS) as paid:
            for name, call, model in (("free model", free, "fake/free"), ("budgets, rate limits", paid, "fake/paid")):
                for at_once in (16, 1):
                    spent = await _cpu_us(call, model, at_once)
                    rows.append(Row(f"router core, {name}, {at_once} at once: CPU", spent, "us"))
    return rows


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        show(uvloop.run(measure(Path(folder))))


if __name__ == "__main__":
    main()
