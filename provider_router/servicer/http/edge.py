"""The HTTP surfaces as an edge of the service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protos.gen.nexus.router.v1 import router_pb2
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.servicer.http.access import Access
from provider_router.servicer.http.answer_headers import error_headers
from provider_router.servicer.http.anthropic_messages.count_tokens import ServeTokenCounts
from provider_router.servicer.http.anthropic_messages.surface import AnthropicMessages
from provider_router.servicer.http.chats import ServeChats
from provider_router.servicer.http.edge_settings import EdgeSettings
from provider_router.servicer.http.embeddings import ServeEmbeddings
from provider_router.servicer.http.gateway import Gateway
from provider_router.servicer.http.listings import ServeListings
from provider_router.servicer.http.model_names import ModelNames
from provider_router.servicer.http.openai_chat.surface import OpenAIChatSurface
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from provider_router.servicer.http.routes import Routes
from provider_router.servicer.http.streaming import Streaming
from provider_router.servicer.http.surface import Surface
from provider_router.servicer.http.visit import JSON, Headers, Route, Serve, Visit
from provider_router.servicer.router_servicer import RouterUseCases
from provider_router.use_cases.count_tokens import CountTokens
from shared.auth.authenticator import Authenticator
from shared.auth.permissions import permissions_of
from shared.errors import NexusError
from shared.http_server.server import HttpServer
from shared.server import Dependencies, Edge
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_FAMILY = router_pb2.DESCRIPTOR.services_by_name["RouterService"]
# Each text is counted, and no provider takes more in one request.
_EMBEDDED_BYTES = 8 * 1024 * 1024
_OPENAPI = Path(__file__).with_name("openapi.json")


@dataclass(frozen=True, slots=True)
class HttpUseCases:
    """What the surfaces need: the use cases of `RouterService`, names of models and what they mean, a counter."""

    router: RouterUseCases
    registry: ServiceRegistry
    rules: RuleBook
    count_tokens: CountTokens


def http_edges(settings: EdgeSettings | None, use_cases: HttpUseCases, deps: Dependencies) -> Sequence[Edge]:
    """The edge, where there is to be one."""
    return [] if settings is None else [HttpEdge(settings, use_cases, deps)]


class HttpEdge:
    """Implements `Edge`: OpenAI's and Anthropic's surfaces over HTTP/1.1."""

    def __init__(self, settings: EdgeSettings, use_cases: HttpUseCases, deps: Dependencies) -> None:
        self._settings = settings
        self._use_cases = use_cases
        self._deps = deps
        self._server: HttpServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens at; for tests, which ask for any free one."""
        return self._server.address if self._server else ("", 0)

    async def start(self, authenticator: Authenticator) -> None:
        """See `Edge.start`."""
        settings, new_id = self._settings, self._deps.new_id
        chat, anthropic = OpenAIChatSurface(self._deps.clock, new_id), AnthropicMessages(new_id)
        access = Access(authenticator, settings.calls_per_key, settings.bytes_per_key)
        routes = Routes(self._routes(chat, anthropic), chat, anthropic)
        gateway = Gateway(routes, access, new_id, settings.body_bytes, settings.sampling)

        def refuse(error: NexusError) -> tuple[int, Headers, bytes]:
            status, body = chat.error(error, "")
            return status, [JSON, *error_headers(error)], body

        self._server = HttpServer(gateway, settings.limits, refuse)
        await self._server.start((settings.host, settings.port), reuse_port=settings.shared_port)
        host, port = self._server.address
        _log.info("http_ready", address=f"{host}:{port}")

    async def stop(self, drain_s: float) -> None:
        """See `Edge.stop`."""
        if self._server is not None:
            await self._server.stop(drain_s)

    def _routes(self, chat: Surface, anthropic: Surface) -> Sequence[Route]:
        settings, router = self._settings, self._use_cases.router
        names = ModelNames(self._use_cases.registry, self._use_cases.rules)
        chats = ServeChats(
            router.complete_chat, router.answers, names, Streaming(settings.heartbeat_s), settings.body_bytes
        )
        counts = ServeTokenCounts(self._use_cases.count_tokens, names, settings.body_bytes)
        embeddings = ServeEmbeddings(router.embed_texts, names, min(settings.body_bytes, _EMBEDDED_BYTES))
        listings = ServeListings(router.list_models, names, "/v1/models/")
        needed = permissions_of([_FAMILY])
        completes, embeds, lists = (
            needed[f"/{_FAMILY.full_name}/{rpc}"] for rpc in ("ChatCompletion", "Embed", "ListModels")
        )
        return [
            Route("/v1/chat/completions", "POST", chats, completes, chat),
            Route("/v1/responses", "POST", chats, completes, ResponsesSurface(self._deps.clock, self._deps.new_id)),
            Route("/v1/messages", "POST", chats, completes, anthropic),
            Route("/v1/messages/count_tokens", "POST", counts, completes, anthropic),
            Route("/v1/embeddings", "POST", embeddings, embeds, chat),
            Route("/v1/models", "GET", listings, lists),
            Route("/v1/models/", "GET", listings, lists),
            Route("/healthz", "GET", _tell_health),
            *([Route("/openapi.json", "GET", _telling(_OPENAPI.read_bytes()))] if _OPENAPI.is_file() else []),
        ]


async def _tell_health(visit: Visit) -> None:
    visit.send(b'{"status":"ok"}')


def _telling(body: bytes) -> Serve:
    async def serve(visit: Visit) -> None:
        visit.send(body)

    return serve
