"""Probes over real HTTP: what they send, and what each fault of the other side means."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from router_fakes import FakeCredentials, provider_spec, service_of, target_of
from router_service import unused_port

from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.limits import HttpLimits
from provider_router.adapters.probe_http import HttpProbe
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from shared.clock import SystemClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncGenerator[str, None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def probing(timeout_s: float = 2.0) -> AsyncGenerator[HttpProbe, None]:
    client = HttpClient(HttpLimits(connect_s=1), SystemClock())
    await client.start()
    try:
        yield HttpProbe(client, FakeCredentials(KEY="sk-1"), timeout_s)
    finally:
        await client.stop()


def service_at(url: str, kind: ProviderType = ProviderType.OPENAI_COMPATIBLE, **changes: object) -> Service:
    spec = provider_spec("p", type=kind, chat_url=url, embed_url="http://127.0.0.1:1/v1", key_envs=("KEY",))
    return service_of("p/m", provider=spec, **changes)


async def outcome(url: str, timeout_s: float = 2.0) -> Reason | None:
    service = service_at(url)
    async with probing(timeout_s) as probe:
        return await probe.send(service, target_of(service))


@pytest.mark.parametrize(
    ("kind", "suffix", "headers"),
    [
        (ProviderType.OPENAI_COMPATIBLE, "/v1", {"Authorization": "Bearer sk-1"}),
        (ProviderType.LOCAL, "/v1", {"Authorization": "Bearer sk-1"}),
        (ProviderType.ANTHROPIC, "", {"x-api-key": "sk-1", "anthropic-version": "2023-06-01"}),
        (ProviderType.ANTHROPIC, "/v1", {"x-api-key": "sk-1"}),
    ],
)
async def test_a_probe_asks_for_the_models_with_the_key(kind: ProviderType, suffix: str, headers: object) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"data": []})

    async with server(handler) as root, probing() as probe:
        service = service_at(root + suffix, kind)
        assert await probe.send(service, target_of(service)) is None
    (request,) = seen
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert headers.items() <= dict(request.headers).items()
    assert request.content_length in (None, 0)


async def test_embeddings_are_probed_at_their_own_address() -> None:
    service = service_at("http://127.0.0.1:1/v1", chat=False, embeddings=True)
    async with probing() as probe:
        assert await probe.send(service, target_of(service)) is Reason.PROVIDER_UNREACHABLE


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.PROVIDER_REFUSED_KEY),
        (403, Reason.PROVIDER_REFUSED_KEY),
        (404, Reason.PROVIDER_MODEL_MISSING),
        (405, Reason.PROVIDER_REFUSED_REQUEST),
        (429, Reason.PROVIDER_RATE_LIMITED),
        (500, Reason.PROVIDER_ERROR),
        (503, Reason.PROVIDER_ERROR),
    ],
)
async def test_what_a_status_means(status: int, reason: Reason) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text="x" * 1000)

    async with server(handler) as root:
        assert await outcome(f"{root}/v1") is reason


async def test_a_redirect_is_not_followed() -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with server(handler) as root:
        assert await outcome(f"{root}/v1") is Reason.PROVIDER_BAD_RESPONSE
    assert paths == ["/v1/models"]


async def test_a_silent_server_is_given_up_in_time() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with server(handler) as root:
        began = time.monotonic()
        assert await outcome(f"{root}/v1", timeout_s=0.2) is Reason.PROVIDER_TIMEOUT
        assert time.monotonic() - began < 1.5


async def test_an_endless_body_is_not_read() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with server(handler) as root:
        began = time.monotonic()
        assert await outcome(f"{root}/v1") is None
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "nowhere.invalid", "a..b", "x" * 300])
async def test_a_wrong_address_is_an_outcome_and_no_crash(host: str) -> None:
    url = f"http://{host.format(port=unused_port())}/v1"
    assert await outcome(url) in (Reason.PROVIDER_UNREACHABLE, Reason.PROVIDER_BAD_RESPONSE)
