"""Providers that fail in every way there is, and a router with budgets in front of them."""

from __future__ import annotations

import asyncio
import functools
import shutil
import ssl
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from aiohttp import web
from router_service import served_router, unused_port

from protos.gen.nexus.router.v1 import decision_pb2, ledger_pb2, ledger_pb2_grpc, router_pb2, router_pb2_grpc
from shared.storage.migrations import upgrade
from shared.testing.scripted_provider import (
    Action,
    DuplicateFinish,
    EmptyBody,
    EndlessStream,
    ErrorInStream,
    Garbage,
    Hang,
    MissingUsage,
    Reply,
    Reset,
    Rule,
    ScriptedProvider,
    Status,
    Truncate,
    Usage,
    WrongContentType,
)

TEXT = "Hello there, this is the answer."
GOOD = Reply(TEXT, usage=Usage(1000, 500))
GOOD_MICRO_USD = 2000
BROKEN_TEXT = "This answer breaks off in the middle, whatever it says."
_PARTIAL = Reply(BROKEN_TEXT)
LIMITS = "version: 1\nbudgets: [{scope: organisation, period: month, usd: 5}, {scope: user, period: day, usd: 1}]\n"


@dataclass
class Place:
    """Where a provider is, and how many requests reached it."""

    url: str
    requests: Callable[[], int]


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Attributes:
        reasons: Of the attempt; several where it depends on which side of a race is seen first.
        tries: Attempts at a provider that always fails so, when there is no other.
        reached: Whether requests arrive at it.
        detail: Words of the message.
        retry_after_s: That the caller is told.
    """

    place: Callable[[], object]
    reasons: tuple[str, ...]
    tries: int = 2
    reached: bool = True
    detail: str = ""
    retry_after_s: float | None = None


def scripted(action: Action) -> Callable[..., object]:
    @asynccontextmanager
    async def place(dialect: str = "openai_compatible") -> AsyncGenerator[Place, None]:
        async with ScriptedProvider() as provider:
            provider.rule(Rule(action))
            url = provider.base_url if dialect == "openai_compatible" else provider.root_url
            yield Place(url, lambda: len(provider.requests))

    return place


@asynccontextmanager
async def nobody() -> AsyncGenerator[Place, None]:
    yield Place(f"http://127.0.0.1:{unused_port()}/v1", lambda: 0)


@asynccontextmanager
async def unknown_host() -> AsyncGenerator[Place, None]:
    yield Place("http://nobody.invalid:8000/v1", lambda: 0)


@asynccontextmanager
async def untrusted() -> AsyncGenerator[Place, None]:
    """Serves TLS with a certificate of an authority that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with _served(lambda _: web.Response(), context) as place:
        yield Place(place.url.replace("http://127.0.0.1", "https://localhost"), place.requests)


@asynccontextmanager
async def cut_json() -> AsyncGenerator[Place, None]:
    """Ends in the middle of its first event."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"choices": [{"index": 0, "delta": {"content": "Hel')
        return response

    async with _served(handler) as place:
        yield place


@asynccontextmanager
async def _served(handler: Callable, context: ssl.SSLContext | None = None) -> AsyncGenerator[Place, None]:
    asked: list[str] = []

    async def counted(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await handler(request)

    app = web.Application()
    app.router.add_post("/{path:.*}", counted)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield Place(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", lambda: len(asked))
    finally:
        await runner.cleanup()


BEFORE: dict[str, Fault] = {
    "connect refused": Fault(nobody, ("PROVIDER_UNREACHABLE",), reached=False, detail="refuses connections"),
    "DNS failure": Fault(unknown_host, ("PROVIDER_UNREACHABLE",), reached=False, detail="cannot be resolved"),
    "TLS failure": Fault(untrusted, ("PROVIDER_UNREACHABLE",), reached=False, detail="certificate is not trusted"),
    "401": Fault(scripted(Status(401)), ("PROVIDER_REFUSED_KEY",), tries=1),
    "403": Fault(scripted(Status(403)), ("PROVIDER_REFUSED_KEY",), tries=1),
    "403 of a moderated prompt": Fault(
        scripted(Status(403, body='{"error":{"code":403,"message":"Flagged.","metadata":{"reasons":["violence"]}}}')),
        ("PROVIDER_REFUSED_REQUEST",),
        tries=1,
    ),
    "403 of a firewall": Fault(scripted(Status(403, body="<html>sk-secret</html>")), ("PROVIDER_ERROR",)),
    "404 model": Fault(scripted(Status(404)), ("PROVIDER_MODEL_MISSING",), tries=1),
    "408": Fault(scripted(Status(408)), ("PROVIDER_TIMEOUT",)),
    "429 with Retry-After": Fault(
        scripted(Status(429, retry_after="7")), ("PROVIDER_RATE_LIMITED",), tries=1, retry_after_s=7.0
    ),
    "429 without Retry-After": Fault(scripted(Status(429)), ("PROVIDER_RATE_LIMITED",), tries=1),
    "500": Fault(scripted(Status(500)), ("PROVIDER_ERROR",)),
    "503": Fault(scripted(Status(503, body="<html>sk-secret</html>")), ("PROVIDER_ERROR",)),
    "hang before headers": Fault(scripted(Hang("headers")), ("PROVIDER_TIMEOUT",)),
    "hang before first token": Fault(scripted(Hang("first_token")), ("PROVIDER_TIMEOUT",)),
    "reset before first token": Fault(
        scripted(Reset(after_chunks=0)), ("PROVIDER_UNREACHABLE", "PROVIDER_BAD_RESPONSE")
    ),
    "truncated JSON": Fault(cut_json, ("PROVIDER_BAD_RESPONSE",)),
    "garbage": Fault(scripted(Garbage()), ("PROVIDER_BAD_RESPONSE",)),
    "wrong content type": Fault(scripted(WrongContentType()), ("PROVIDER_BAD_RESPONSE",)),
    "empty body": Fault(scripted(EmptyBody()), ("PROVIDER_BAD_RESPONSE",)),
    "error first inside a 200 stream": Fault(
        scripted(ErrorInStream(after_chunks=0, message="sk-secret")), ("PROVIDER_ERROR",)
    ),
}
"""Faults before the first token."""

AFTER: dict[str, Fault] = {
    "hang mid-stream": Fault(scripted(Reply("One piece, silence.", chunk_delay_s=0.3)), ("PROVIDER_TIMEOUT",)),
    "reset mid-stream": Fault(
        scripted(Reset(after_chunks=2, reply=_PARTIAL)), ("PROVIDER_UNREACHABLE", "PROVIDER_BAD_RESPONSE")
    ),
    "truncated mid-stream": Fault(scripted(Truncate(after_chunks=2, reply=_PARTIAL)), ("PROVIDER_BAD_RESPONSE",)),
    "error inside a 200 stream": Fault(
        scripted(ErrorInStream(after_chunks=2, message="sk-secret", reply=_PARTIAL)), ("PROVIDER_ERROR",)
    ),
    "endless stream": Fault(scripted(EndlessStream(chunk_delay_s=0.02)), ("PROVIDER_TIMEOUT",)),
}
"""Faults after it."""

HARMLESS: dict[str, Fault] = {
    "duplicate finish": Fault(scripted(DuplicateFinish(GOOD)), ()),
    "missing usage": Fault(scripted(MissingUsage(Reply(TEXT))), ()),
}
"""Faults that the caller does not notice."""

# The first token may take longer than a pause between two pieces, so that a slow piece is told from a slow start.
TIMES = {"first_token_timeout_s": 0.4, "idle_timeout_s": 0.2, "total_timeout_s": 1.6}


@dataclass
class Books:
    """What a call left behind."""

    rows: list[decision_pb2.LedgerAttempt] = field(default_factory=list)
    budgets: list[ledger_pb2.Budget] = field(default_factory=list)
    in_flight: int = 0

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Model, outcome and reason of each attempt, in order."""
        return [(row.model, row.outcome, row.reason) for row in self.rows]

    def cost_micro_usd(self) -> int:
        return sum(row.cost_micro_usd for row in self.rows)


@dataclass
class Router:
    """A router and its books."""

    stub: router_pb2_grpc.RouterServiceStub
    ledger: ledger_pb2_grpc.LedgerServiceStub

    async def books(self, *, settled_s: float = 2.0) -> Books:
        """The books, as soon as no attempt is open any more."""
        async with asyncio.timeout(settled_s):
            while True:
                request = ledger_pb2.ListLedgerAttemptsRequest(page_size=1000)
                rows = list((await self.ledger.ListLedgerAttempts(request, timeout=5)).attempts)
                if all(row.outcome != "open" for row in rows):
                    break
                await asyncio.sleep(0.01)
        budgets = await self.ledger.ListBudgets(ledger_pb2.ListBudgetsRequest(), timeout=5)
        providers = await self.stub.ListProviders(router_pb2.ListProvidersRequest(), timeout=5)
        in_flight = sum(d.in_flight for provider in providers.providers for d in provider.deployments)
        return Books(rows, list(budgets.budgets), in_flight)


def balanced(books: Books) -> bool:
    """Whether nothing is reserved or held, and every budget has what the rows sum up to."""
    return (
        books.in_flight == 0
        and len(books.budgets) == 2
        and all(budget.reserved_micro_usd == 0 for budget in books.budgets)
        and all(budget.spent_micro_usd == books.cost_micro_usd() for budget in books.budgets)
        and len({row.attempt_id for row in books.rows}) == len(books.rows)
    )


@functools.cache
def empty_database() -> Path:
    """A database of a router that served nobody, made once."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-router-"))
    upgrade(folder / "router.sqlite", "provider_router.adapters.migrations")
    return folder / "router.sqlite"


@asynccontextmanager
async def books_router(file: Path, **settings: object) -> AsyncGenerator[Router, None]:
    """A router with budgets, short time limits and an empty ledger, over a database that is made once for all tests."""
    (file.parent / "limits.yaml").write_text(LIMITS, encoding="utf-8")
    database = file.parent / "data" / "db" / "router.sqlite"
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_database(), database)
    async with served_router(file, **{**TIMES, **settings}) as served:
        yield Router(
            router_pb2_grpc.RouterServiceStub(served.channel), ledger_pb2_grpc.LedgerServiceStub(served.channel)
        )
