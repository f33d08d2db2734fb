"""The provider as a real HTTP server on a loopback port."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

import orjson
from aiohttp import web

from shared.testing.scripted_provider import agent
from shared.testing.scripted_provider.anthropic_dialect import AnthropicDialect
from shared.testing.scripted_provider.dialect import Dialect
from shared.testing.scripted_provider.embeddings import DIMENSIONS, embed
from shared.testing.scripted_provider.openai_dialect import OpenAIDialect
from shared.testing.scripted_provider.performance import (
    Abort,
    Forever,
    Pause,
    Performance,
    Stage,
    Step,
    Write,
    perform,
)
from shared.testing.scripted_provider.recording import Recording
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest
from shared.testing.scripted_provider.responses_dialect import ResponsesDialect
from shared.testing.scripted_provider.script import Action, Rule, Script

_MAX_REQUEST_BYTES = 64 * 1024 * 1024
_OPENAI = OpenAIDialect()
_ANTHROPIC = AnthropicDialect()
_RESPONSES = ResponsesDialect()


class ScriptedProvider:
    """Speaks OpenAI's chat completions and responses and Anthropic's messages, and does what its script says.

    The queue filled by `script` is used up first, one action a chat request; then the rules
    added by `rule`, first fit; else the small agent of `agent.py` answers.

    Attributes:
        base_url: Address with `/v1`, for OpenAI clients. Set by entering the context.
        root_url: Address without it, for Anthropic clients.
        recording: What the provider saw.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        port: int = 0,
        models: Sequence[str] = ("scripted-chat", "scripted-embed"),
        script: Script | None = None,
    ) -> None:
        """Prepare the provider.

        Args:
            api_key: Demanded as a bearer token or `x-api-key`; None lets everybody in.
            port: TCP port on 127.0.0.1; 0 for a free one.
            models: What GET /v1/models lists. Requests may name any model.
            script: What to do; None for an empty script.
        """
        self.root_url = ""
        self.recording = Recording()
        self._script = script or Script()
        self._api_key = api_key
        self._port = port
        self._models = tuple(models)
        self._ids = itertools.count(1)
        self._stopping = False
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Address for OpenAI clients, for example `http://127.0.0.1:40001/v1`."""
        return f"{self.root_url}/v1"

    @property
    def requests(self) -> list[ProviderRequest]:
        """Chat requests so far."""
        return self.recording.requests

    @property
    def disconnects(self) -> int:
        """How many clients left before their response was complete."""
        return self.recording.disconnects

    def script(self, *actions: Action) -> None:
        """Append actions to the queue."""
        self._script.queue.extend(actions)

    def rule(self, *rules: Rule) -> None:
        """Append rules."""
        self._script.rules.extend(rules)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
        app.router.add_post("/v1/chat/completions", self._chat_completions)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_get("/v1/models", self._list_models)
        # Without handler_cancellation a client that leaves would go unnoticed between two writes.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.root_url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        if self._runner is not None:
            await self._runner.cleanup()

    async def _chat_completions(self, request: web.Request) -> web.StreamResponse:
        return await self._chat(request, _OPENAI)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        return await self._chat(request, _ANTHROPIC)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        return await self._chat(request, _RESPONSES)

    async def _chat(self, request: web.Request, dialect: Dialect) -> web.StreamResponse:
        if not self._authorized(request):
            return _error(dialect, 401, "Incorrect API key provided.")
        try:
            body: JsonObject = orjson.loads(await request.read())
            asked = dialect.read(request.path, body, _recorded_headers(request))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _error(dialect, 400, f"The request body is malformed: {error!r}.")
        self.recording.began(asked)
        action = self._script.next_action(asked) or agent.answer(asked)
        stage = Stage(asked, dialect, f"scripted-{next(self._ids)}")
        performance = perform(action, stage)
        response = web.StreamResponse(status=performance.status, headers=performance.headers)
        left = True
        try:
            await _play(performance, request, response)
            left = False
        except ConnectionResetError:
            # A write to a client that has left; counted below, and nobody is there to be told.
            return response
        finally:
            # A client that leaves between two writes cancels this handler. So does stopping.
            self.recording.ended(disconnected=left and not self._stopping)
        return response

    async def _embeddings(self, request: web.Request) -> web.StreamResponse:
        if not self._authorized(request):
            return _error(_OPENAI, 401, "Incorrect API key provided.")
        body: JsonObject = orjson.loads(await request.read())
        model = str(body.get("model", ""))
        self.recording.embeddings.append(ProviderRequest(request.path, body, _recorded_headers(request), model=model))
        given = cast("str | list[str]", body["input"])
        texts = [given] if isinstance(given, str) else given
        dimensions = int(body.get("dimensions") or DIMENSIONS)
        words = sum(len(text.split()) for text in texts)
        vectors = [{"object": "embedding", "index": i, "embedding": embed(t, dimensions)} for i, t in enumerate(texts)]
        usage = {"prompt_tokens": words, "total_tokens": words}
        return _json({"object": "list", "model": model, "data": vectors, "usage": usage})

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        if not self._authorized(request):
            return _error(_OPENAI, 401, "Incorrect API key provided.")
        models = [{"id": m, "object": "model", "created": 0, "owned_by": "scripted"} for m in self._models]
        return _json({"object": "list", "data": models})

    def _authorized(self, request: web.Request) -> bool:
        if self._api_key is None:
            return True
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._api_key in (bearer, request.headers.get("x-api-key"))


async def _play(performance: Performance, request: web.Request, response: web.StreamResponse) -> None:
    response.content_type = performance.content_type
    response.content_length = performance.content_length
    for step in performance.before_headers:
        await _take(step, request, response)
        if isinstance(step, Abort):
            return
    await response.prepare(request)
    for step in performance.steps:
        await _take(step, request, response)
        if isinstance(step, Abort):
            return
    await response.write_eof()


async def _take(step: Step, request: web.Request, response: web.StreamResponse) -> None:
    match step:
        case Write(data):
            await response.write(data)
        case Pause(delay_s):
            await asyncio.sleep(delay_s)
        case Forever():
            await asyncio.Event().wait()
        case Abort():
            _reset(request)


def _reset(request: web.Request) -> None:
    """Close the connection with a TCP reset, so that the client sees an error and not an end."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _recorded_headers(request: web.Request) -> dict[str, str]:
    secret = {"authorization", "x-api-key"}
    return {name.lower(): "<present>" if name.lower() in secret else value for name, value in request.headers.items()}


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _error(dialect: Dialect, status: int, message: str) -> web.Response:
    return _json(dialect.error(status, message), status)
