"""The real router over real HTTP, configured by a providers file in a temporary folder."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from provider_router.main import build
from provider_router.settings import Settings
from shared.client import translated_errors
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies
from shared.testing.harness import Served, serving

Stub = router_pb2_grpc.RouterServiceStub


def providers_file(folder: Path, **providers: tuple[str, str]) -> Path:
    """Writes a file with one chat model a provider, given as name=(type, base URL), chained in that order."""
    lines = ["version: 1", "providers:"]
    for name, (kind, url) in providers.items():
        key = "" if kind == "openai_compatible" else ", api_key_env: ROUTER_TEST_KEY"
        models = "[{name: m, chat: true, tool_calling: true, usd_per_million_tokens: {input: 1, output: 2}}"
        models += "]" if kind == "anthropic" else ", {name: e, embeddings: true}]"
        lines.append(f"  {name}: {{type: {kind}, base_url: '{url}'{key}, models: {models}}}")
    lines.append(f"chains: {{chat: [{', '.join(f'{name}/m' for name in providers)}]}}")
    path = folder / "providers.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@asynccontextmanager
async def router(file: Path, **settings: object) -> AsyncGenerator[Stub, None]:
    """Serves the router with short deadlines."""
    async with served_router(file, **settings) as served:
        yield Stub(served.channel)


@asynccontextmanager
async def served_router(file: Path, **settings: object) -> AsyncGenerator[Served, None]:
    """Serves all services of the router with short deadlines."""
    chosen = {
        "connect_timeout_s": 0.5,
        "first_token_timeout_s": 0.25,
        "idle_timeout_s": 0.2,
        "total_timeout_s": 2.0,
        "embed_timeout_s": 0.4,
        "reload_s": 0.02,
        # Providers count what reaches them; a test of probes asks for them.
        "probe_s": 0,
        "http_listen": "",
        "data_dir": file.parent / "data",
        **settings,
    }
    service = build(Settings(providers_file=file, **chosen), Dependencies(SystemClock(), new_id, lambda _: None))
    async with serving(service) as served:
        yield served


def chat(model: str = "", text: str = "Hi", **fields: object) -> pb.ChatCompletionRequest:
    user = pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text=text)])
    return pb.ChatCompletionRequest(**{"model": model, "messages": [user], **fields})


async def unary(stub: Stub, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
    """The whole answer; errors are those of the taxonomy."""
    async with translated_errors("router"):
        return await stub.ChatCompletion(request, timeout=10)


async def streamed(stub: Stub, request: pb.ChatCompletionRequest) -> pb.ChatCompletionResponse:
    """The streamed answer, put together as `unary` gives it; errors are those of the taxonomy."""
    texts: list[str] = []
    answer = pb.ChatCompletionResponse()
    async with translated_errors("router"):
        async for event in stub.StreamChatCompletion(pb.StreamChatCompletionRequest(request=request), timeout=10):
            match event.WhichOneof("event"):
                case "started":
                    assert not answer.model, "started twice"
                    answer.model = event.started.model
                    answer.decision_id = event.started.decision_id
                    answer.attempts.extend(event.started.attempts)
                case "text_delta":
                    texts.append(event.text_delta)
                case "continued":
                    answer.continuations.append(event.continued)
                case "completed":
                    assert not answer.finish_reason, "completed twice"
                    answer.finish_reason = event.completed.finish_reason
                    answer.cost_micro_usd = event.completed.cost_micro_usd
                    if event.completed.HasField("usage"):
                        answer.usage.CopyFrom(event.completed.usage)
    answer.message.content.add(text="".join(texts))
    return answer


def text_of(answer: pb.ChatCompletionResponse) -> str:
    return "".join(part.text for part in answer.message.content)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def raw_provider(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncGenerator[str, None]:
    """A server whose every POST goes to `handler`; gives its base URL."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
