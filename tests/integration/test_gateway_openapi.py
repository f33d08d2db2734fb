"""Requests made from the published document, right ones and wrong ones, against a gateway with a scripted provider: it
answers all of them as the document says, and breaks over none.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from gateway_service import KEY, gateway_router
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from provider_router.servicer.http.openapi.document import document
from shared.testing.threaded_provider import threaded_provider

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
)
MODELS = ("chatty/m", "claudish/m", "responsive/m")
PROVIDERS = """\
version: 1
providers:
  chatty: {type: openai_compatible, base_url: ROOT/v1, api_key_env: ROUTER_TEST_KEY, models: [CHAT, EMBED]}
  claudish: {type: anthropic, base_url: ROOT, api_key_env: ROUTER_TEST_KEY, models: [CHAT]}
  responsive: {type: openai_responses, base_url: ROOT/v1, api_key_env: ROUTER_TEST_KEY, models: [CHAT]}
chains: {chat: [chatty/m], embed: chatty/e}
"""
CHAT = (
    "{name: m, capabilities: {operations: [chat], input: [text, image, file, audio], tool_calling: true,"
    " json_schema: true}, usd_per_million_tokens: {input: 1, output: 2}}"
)
TOO_MUCH = frozenset({413, 431})
BIG = 1000


def without_big_bounds(shape: Any) -> Any:
    """The document less the bounds that take megabytes to break."""
    if isinstance(shape, list):
        return [without_big_bounds(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    kept = {name: each for name, each in shape.items() if name not in ("maxItems", "maxLength") or each < BIG}
    return {name: without_big_bounds(each) for name, each in kept.items()}


def wrong_data_is_refused(context: Any, response: Any, case: Any) -> bool | None:
    """As schemathesis has it, where there is not simply too much of it."""
    return None if response.status_code in TOO_MUCH else negative_data_rejection(context, response, case)


schema = schemathesis.openapi.from_dict(without_big_bounds(document()))


@contextmanager
def served(file: Path) -> Generator[str]:
    """A gateway in a thread of its own: what calls it blocks. Gives its address."""
    address, ended, loop = Future[str](), asyncio.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        async with gateway_router(file, total_timeout_s=20, first_token_timeout_s=10, idle_timeout_s=10) as gateway:
            address.set_result(gateway.url)
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    try:
        yield address.result(20)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("openapi") / "providers.yaml"
    with threaded_provider() as provider, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROUTER_TEST_KEY", "sk-test-0123456789")
        models = PROVIDERS.replace("CHAT", CHAT).replace(
            "EMBED", "{name: e, embeddings: true, usd_per_million_tokens: {input: 1, output: 0}}"
        )
        file.write_text(models.replace("ROOT", provider.root_url))
        with served(file) as address:
            yield address


def of_models_that_are_there(case: Any) -> None:
    """Names that nobody has would all end in one error."""
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("model"), str) and 0 < len(body["model"]) <= 256:
        embeds = case.path == "/v1/embeddings"
        body["model"] = "chatty/e" if embeds else MODELS[len(str(body)) % len(MODELS)]


@schema.parametrize()
@settings(
    max_examples=12,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
def test_it_answers_as_the_document_says(url: str, case: Any) -> None:
    of_models_that_are_there(case)
    case.call_and_validate(
        base_url=url, headers={"authorization": f"Bearer {KEY}"}, checks=(*CHECKS, wrong_data_is_refused)
    )


@pytest.mark.parametrize("path", [path for path in document()["paths"] if path != "/healthz"])
def test_it_asks_for_a_key(url: str, path: str) -> None:
    method = "POST" if "post" in document()["paths"][path] else "GET"
    for headers in ({}, {"authorization": "Bearer nxk_nobodys"}, {"x-api-key": "nxk_nobodys"}):
        assert httpx.request(method, url + path, headers=headers).status_code == 401


def test_the_document_is_served(url: str) -> None:
    assert httpx.get(f"{url}/openapi.json").json() == document()
