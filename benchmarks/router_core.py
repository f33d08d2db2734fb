"""CPU of a chat inside the router, without gRPC or HTTP and without a provider: what any front costs on top of.

    python -m benchmarks.router_core

In process, by the router's own wiring: features, decision with its record on disk, limits, ledger rows on disk,
breakers, metrics. The model is one that answers at once. The rows "whole answer" are the path of the HTTP surfaces, an
`AnswerSource` that is given a call for a whole answer; the others convert gRPC's messages, too. CPU is that of the
whole process, the writer included; the median of several rounds.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvloop

from benchmarks.report import Row, show
from protos.gen.nexus.router.v1 import router_pb2 as pb
from provider_router.adapters.model_source_http import HttpModelSource
from provider_router.domain.calls.chat import ChatRequest, FinishReason, Message, Role
from provider_router.domain.calls.chat_call import ChatCall, RoutingOptions
from provider_router.domain.calls.events import Finished, ModelEvent, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.decisions.route_request import Caller
from provider_router.main import build
from provider_router.ports.answer_source import AnswerSource
from provider_router.settings import Settings
from shared.auth.context import acting_as
from shared.auth.principal import Principal
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies
from shared.server.garbage import freeze_what_was_started

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
_CALLER = Caller("org", "user", "key", ("owner",))
_Call = Callable[[str], Any]
WHOLE = "whole answer"
_numbers = itertools.count()


class _AtOnce:
    """A model without a provider."""

    async def stream(self, request: ChatRequest, *_: object) -> AsyncGenerator[ModelEvent, None]:
        """One event of a whole answer, else two."""
        if not request.whole:
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
async def _router(folder: Path, limits: str) -> AsyncGenerator[Mapping[str, _Call]]:
    """A router on files of its own; gives its ways in."""
    folder.mkdir()
    (folder / "providers.yaml").write_text(PROVIDERS)
    (folder / "limits.yaml").write_text(limits)
    settings = Settings(data_dir=folder, providers_file=folder / "providers.yaml", probe_s=0)
    no_channel: Any = None
    service = build(settings, Dependencies(SystemClock(), new_id, no_channel))
    servicer: Any = service.registrations[0].servicer
    answers: AnswerSource = servicer._use_cases.answers  # noqa: SLF001 - what the surfaces are wired to, too
    await service.start()
    # As a server does.
    freeze_what_was_started()

    async def whole(model: str) -> None:
        async for _ in answers.stream(_chat_call(model)):
            pass

    try:
        yield {"ChatCompletion": lambda model: servicer.ChatCompletion(_request(model), _Context()), WHOLE: whole}
    finally:
        await service.stop()


def _text() -> str:
    """A text that was never seen before."""
    return f"Good morning, number {next(_numbers)}"


def _request(model: str) -> pb.ChatCompletionRequest:
    user = pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text=_text())])
    return pb.ChatCompletionRequest(model=model, messages=[user], routing=pb.RoutingOptions(tier="fast"))


def _chat_call(model: str) -> ChatCall:
    asked = ChatRequest((Message(Role.USER, _text()),), whole=True)
    return ChatCall(_CALLER, asked, RoutingOptions(model=model, tier="fast"), streamed=False)


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
            for name, calls, model in (("free model", free, "fake/free"), ("budgets, rate limits", paid, "fake/paid")):
                for way, call in calls.items():
                    for at_once in (64, 16) if way == WHOLE else (16, 1):
                        spent = await _cpu_us(call, model, at_once)
                        rows.append(Row(f"router core, {way}, {name}, {at_once} at once: CPU", spent, "us"))
    return rows


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        show(uvloop.run(measure(Path(folder))))


if __name__ == "__main__":
    main()
