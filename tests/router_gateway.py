"""The HTTP surfaces served for real, over an answer source that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import httpx
from router_decision_fakes import FakeRuleBook, FakeTokenCounter, registry_of
from router_fakes import FakeRegistry, service_of

from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.calls.embedding import Embeddings
from provider_router.domain.calls.events import ChatEvent, Completed, Started, TextDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.configuration.troubles import Troubles
from provider_router.servicer.http.edge import HttpEdge, HttpUseCases
from provider_router.servicer.http.edge_settings import EdgeSettings
from provider_router.servicer.router_servicer import RouterUseCases
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.count_tokens import CountTokens
from provider_router.use_cases.embed_texts import EmbeddedTexts
from provider_router.use_cases.list_models import ListedModel, ListedModels
from shared.auth.principal import Principal
from shared.clock import SystemClock
from shared.http_server.limits import Limits
from shared.ids import new_id
from shared.server import Dependencies, Service
from shared.telemetry.tracing import Sampling
from shared.testing.fakes import FakeKeyDirectory
from shared.testing.harness import principal, serving

KEY = "nxk_one"
STARTED = Started("one/chat", (), demonstration=False, decision_id="d-1")
COMPLETED = Completed(FinishReason.STOP, TokenUsage(3, 2), cost_micro_usd=1_234)
HELLO = (STARTED, TextDelta("Hel"), TextDelta("lo"), COMPLETED)
SERVICES = (
    service_of("one/chat", context_length=4096, max_output_tokens=1024),
    service_of("two/chat"),
    service_of("two/only", tool_calling=True),
    service_of("one/embed", chat=False, embeddings=True),
)
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
SURFACES = (CHAT, RESPONSES, MESSAGES)
Step = ChatEvent | Exception | Callable[[], Awaitable[None]]


class FakeAnswers:
    """Implements `AnswerSource`: each answer is `steps`, of which exceptions are raised and functions awaited.

    Attributes:
        calls: That were made.
        told: Events that were taken.
        closed: Set when an answer ended, however it ended.
    """

    def __init__(self, *steps: Step) -> None:
        self.steps: Sequence[Step] = steps or HELLO
        self.calls: list[ChatCall] = []
        self.told = 0
        self.closed = asyncio.Event()

    async def stream(self, call: ChatCall) -> AsyncGenerator[ChatEvent, None]:
        self.calls.append(call)
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if callable(step):
                    await step()
                    continue
                self.told += 1
                yield step
        finally:
            self.closed.set()


@dataclass
class Gate:
    """A served gateway.

    Attributes:
        http: A client with a key that may do everything.
        answers: What it answers with.
        keys: That work.
        embedded: What was asked of embeddings: caller, model, texts, handling.
    """

    http: httpx.AsyncClient
    answers: FakeAnswers
    keys: FakeKeyDirectory
    address: tuple[str, int]
    embedded: list[tuple[Any, ...]] = field(default_factory=list)

    async def ask(self, path: str = CHAT, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """Asks for a chat; `fields` stand over those of the smallest body that the surface takes."""
        return await self.http.post(path, json={**body_of(path), **fields}, headers=headers)

    @property
    def call(self) -> ChatCall:
        """The one call that was made."""
        (only,) = self.answers.calls
        return only


def body_of(path: str) -> dict[str, Any]:
    """The smallest body that the surface at `path` takes."""
    if path == RESPONSES:
        return {"model": "one/chat", "input": "Hi"}
    limit = {"max_tokens": 100} if path == MESSAGES else {}
    return {"model": "one/chat", "messages": [{"role": "user", "content": "Hi"}], **limit}


@asynccontextmanager
async def gateway(*steps: Step, **settings: Any) -> AsyncGenerator[Gate, None]:
    """Serves the surfaces; `settings` are fields of `EdgeSettings`, `services` replaces the registry's."""
    registry = FakeRegistry(replace(registry_of(*settings.pop("services", SERVICES)), embed_model="one/embed"))
    answers, embedded = FakeAnswers(*steps), list[tuple[Any, ...]]()

    async def embed(*asked: Any) -> EmbeddedTexts:
        embedded.append(asked)
        vectors = Embeddings(tuple((1.0, 0.0) for _ in asked[2]), TokenUsage(3))
        return EmbeddedTexts("one/embed", vectors, "d-2", attempts=2, cost_micro_usd=7)

    def listed(org_id: str) -> ListedModels:
        models = tuple(ListedModel(each, None, True, False) for each in registry.current(org_id).listed())
        return ListedModels(models, (), Troubles())

    use_cases = RouterUseCases(
        CompleteChat(answers), answers, cast("Any", embed), cast("Any", listed), cast("Any", SimpleNamespace())
    )
    edge = HttpEdge(
        EdgeSettings(
            **{
                "host": "127.0.0.1",
                "port": 0,
                "shared_port": False,
                "body_bytes": 1024 * 1024,
                "calls_per_key": 100,
                "bytes_per_key": 8 * 1024 * 1024,
                "heartbeat_s": 15.0,
                "sampling": Sampling(),
                "limits": Limits(),
                **settings,
            }
        ),
        HttpUseCases(use_cases, registry, FakeRuleBook(), CountTokens(registry, FakeTokenCounter())),
        Dependencies(SystemClock(), new_id, cast("Any", None)),
    )
    async with serving(Service("router", [], edges=[edge])) as served:
        served.keys.keys[KEY] = principal(key_id="k-1")
        host, port = edge.address
        async with httpx.AsyncClient(
            base_url=f"http://{host}:{port}", headers={"authorization": f"Bearer {KEY}"}
        ) as http:
            yield Gate(http, answers, served.keys, (host, port), embedded)


def stranger(**changes: Any) -> Principal:
    """A principal who may do nothing, unless `changes` say so."""
    return principal(**{"permissions": (), **changes})


def data_of(stream: str) -> list[str]:
    """The data of each event of a stream of server-sent events."""
    return [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]


def comments_of(stream: str) -> list[str]:
    """The comments of a stream of server-sent events."""
    return [line for line in stream.splitlines() if line.startswith(":")]


async def until(condition: Callable[[], bool], within_s: float = 2.0) -> None:
    """Waits until `condition` holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.002)
