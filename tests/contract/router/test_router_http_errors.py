"""Errors over HTTP: the right status, the right shape, and never a stream that looks whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
import pytest
from router_fakes import provider_spec, service_of
from router_gateway import (
    CHAT,
    COMPLETED,
    MESSAGES,
    RESPONSES,
    SERVICES,
    STARTED,
    SURFACES,
    body_of,
    data_of,
    gateway,
)

from provider_router.domain.calls.events import TextDelta
from provider_router.domain.errors import Reason, failure
from shared.errors import (
    Cancelled,
    FieldViolation,
    Forbidden,
    Internal,
    NexusError,
    NotFound,
    StaleWrite,
    Unauthenticated,
)
from shared.errors.http_status import http_status_of

REASONS = [failure(reason, "It went wrong.") for reason in Reason]
CLASSES = [
    kind("SOME_REASON", "It went wrong.") for kind in (Unauthenticated, Forbidden, NotFound, StaleWrite, Cancelled)
]


@pytest.mark.parametrize("path", SURFACES)
async def test_each_reason_has_its_status_and_the_shape_of_the_dialect(path: str) -> None:
    async with gateway() as gate:
        for error in (*REASONS, *CLASSES):
            gate.answers.steps = (error,)
            for stream in (False, True):
                answer = await gate.ask(path, stream=stream)
                assert answer.headers["content-type"] == "application/json"
                assert answer.headers["x-nexus-reason"] == error.reason
                assert answer.status_code == (http_status_of(error) if path != MESSAGES else answer.status_code)
                assert answer.status_code >= 400
                told = answer.json()
                assert told["error"]["message"] == "It went wrong."
                assert set(told) == ({"type", "error", "request_id"} if path == MESSAGES else {"error"})


@pytest.mark.parametrize("path", SURFACES)
async def test_when_to_come_back_is_told_as_the_official_clients_read_it(path: str) -> None:
    limited = failure(Reason.RATE_LIMITED, "Wait.", retry_after_s=1.25)
    async with gateway(limited) as gate:
        headers = (await gate.ask(path)).headers
        assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1250")
        assert "x-should-retry" not in headers


@pytest.mark.parametrize("path", SURFACES)
async def test_a_refusal_names_the_decision_and_the_callers_field(path: str) -> None:
    wrong = [FieldViolation("seed", "is nothing for 'one/chat'")]
    refused = failure(Reason.UNSUPPORTED_CAPABILITY, "No.", metadata={"decision_id": "d-9"}, violations=wrong)
    async with gateway(refused) as gate:
        for stream in (False, True):
            answer = await gate.ask(path, stream=stream)
            assert answer.headers["x-nexus-decision-id"] == "d-9"
            assert path == MESSAGES or answer.json()["error"]["param"] == "seed"
        gate.answers.steps = (failure(Reason.RATE_LIMITED, "Wait."),)
        assert "x-nexus-decision-id" not in (await gate.ask(path)).headers


LIMITS = {CHAT: "max_completion_tokens", RESPONSES: "max_output_tokens", MESSAGES: "max_tokens"}


@pytest.mark.parametrize("path", SURFACES)
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"workspace_id": "w"}, "workspace_id"),
        ({"num_predict": 9_000}, "num_predict"),
        ({"min_tokens": 9_000}, "min_tokens"),
        ({"options": {"num_predict": 9_000}}, "options.num_predict"),
        ({"extra_body": {"x": 1}}, "extra_body"),
        ({"fallbacks": ["dearer"]}, "fallbacks"),
    ],
)
async def test_what_would_change_the_cost_the_place_or_the_limit_is_refused_everywhere(
    path: str, fields: dict[str, object], field: str
) -> None:
    async with gateway() as gate:
        answer = await gate.ask(path, **fields)
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (400, "REQUEST_INVALID")
        message = answer.json()["error"]["message"]
        assert f"{field} " in message
        assert field.rpartition(".")[2] not in ("num_predict", "min_tokens") or f"use {LIMITS[path]}," in message
        assert gate.answers.calls == []


async def test_nothing_is_stored_on_any_surface() -> None:
    async with gateway() as gate:
        for path in (CHAT, RESPONSES):
            answer = await gate.ask(path, store=True)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "store")
            assert "nothing is stored here" in answer.json()["error"]["message"]
            assert (await gate.ask(path, store=False)).status_code == 200


@pytest.mark.parametrize("path", SURFACES)
async def test_half_a_character_is_refused_by_its_name(path: str) -> None:
    async with gateway() as gate:
        body = orjson.dumps({**body_of(path), "user": "HALF"}).replace(b"HALF", b"\\ud800")
        answer = await gate.http.post(path, content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (400, "REQUEST_MALFORMED")
        assert "lone surrogate" in answer.json()["error"]["message"]


def _shown(path: str, url: str) -> dict[str, object]:
    """The fields of a request that shows the picture at `url`."""
    if path == RESPONSES:
        return {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}
    picture: dict[str, object] = {"type": "image_url", "image_url": {"url": url}}
    if path == MESSAGES:
        picture = {"type": "image", "source": {"type": "url", "url": url}}
    return {"messages": [{"role": "user", "content": [picture]}]}


PLACES = {
    CHAT: "messages[0].content[0].image_url.url",
    RESPONSES: "input[0].content[0].image_url",
    MESSAGES: "messages[0].content[0].source.url",
}


@pytest.mark.parametrize("path", SURFACES)
async def test_pictures_at_private_addresses_are_for_models_that_are_there(path: str) -> None:
    at_home = provider_spec("home", chat_url="http://127.0.0.1:1/v1")
    async with gateway(services=(*SERVICES, service_of("home/chat", provider=at_home))) as gate:
        for host in ("127.0.0.1", "10.1.2.3:8080", "[::1]", "2130706433", "localhost", "a.internal", "redis:6379"):
            shown = _shown(path, f"https://{host}/a.png")
            for model in ("one/chat", "nexus/auto", "one/"):
                answer = await gate.ask(path, **shown, model=model)
                assert answer.status_code == 400, host
                assert PLACES[path] in answer.json()["error"]["message"]
            for model in ("home/chat", "home/"):
                assert (await gate.ask(path, **shown, model=model)).status_code == 200
        for host in ("169.254.169.254", "metadata.google.internal", "010.1.2.3", "10\u30021\u30022\u30023"):
            answer = await gate.ask(path, **_shown(path, f"https://{host}/a.png"), model="home/chat")
            assert answer.status_code == 400, host
        assert (await gate.ask(path, **_shown(path, "https://images.test/127.0.0.1.png"))).status_code == 200


async def test_nobody_waits_for_the_end_of_a_month() -> None:
    spent = failure(Reason.BUDGET_EXHAUSTED, "Spent.", retry_after_s=86_400)
    async with gateway(spent) as gate:
        headers = (await gate.ask()).headers
        assert (headers["retry-after"], headers["x-should-retry"]) == ("86400", "false")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (Reason.BUDGET_EXHAUSTED, "false"),
        (Reason.NO_ROUTE, "false"),
        (Reason.NO_MODEL_CONFIGURED, "false"),
        (Reason.ALL_MODELS_FAILED, None),
        (Reason.PROVIDER_ERROR, None),
        (Reason.DEADLINE_EXCEEDED, "false"),
    ],
)
async def test_what_never_helps_is_told_to_clients_that_would_try_again(reason: Reason, told: str | None) -> None:
    async with gateway(failure(reason, "No.")) as gate:
        assert (await gate.ask()).headers.get("x-should-retry") == told


@pytest.mark.parametrize("path", SURFACES)
async def test_a_defect_says_nothing_of_the_inside(path: str) -> None:
    async with gateway(RuntimeError("secret /path")) as gate:
        for stream in (False, True):
            answer = await gate.ask(path, stream=stream)
            assert (answer.status_code, answer.headers["x-nexus-reason"]) == (500, "INTERNAL")
            assert "secret" not in answer.text


def _openai_end(stream: str) -> str:
    *_, last = data_of(stream)
    assert "[DONE]" not in stream
    return orjson.loads(last)["error"]["message"]


def _responses_end(stream: str) -> str:
    last = orjson.loads(data_of(stream)[-1])
    assert "response.completed" not in stream
    assert last["type"] in ("error", "response.failed")
    return last.get("message") or last["response"]["error"]["message"]


def _messages_end(stream: str) -> str:
    assert "event: error" in stream
    assert "message_stop" not in stream
    return orjson.loads(data_of(stream)[-1])["error"]["message"]


ENDS: dict[str, Callable[[str], str]] = {CHAT: _openai_end, RESPONSES: _responses_end, MESSAGES: _messages_end}


@pytest.mark.parametrize("path", SURFACES)
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failure(Reason.STREAM_BROKEN, "It broke off."), "It broke off."),
        (Internal("INTERNAL", "Oops."), "Oops."),
        (RuntimeError("secret"), "Something broke inside Nexus."),
        (TimeoutError(), "longer than it may"),
    ],
)
async def test_a_stream_that_breaks_off_ends_with_an_error(path: str, error: Exception, words: str) -> None:
    async with gateway(STARTED, TextDelta("Hel"), error) as gate:
        answer = await gate.ask(path, stream=True)
        assert answer.status_code == 200
        assert words in ENDS[path](answer.text)
        assert "secret" not in answer.text


@pytest.mark.parametrize("path", SURFACES)
async def test_a_stream_that_ends_without_an_end_is_an_error(path: str) -> None:
    async with gateway(STARTED, TextDelta("Hel")) as gate:
        assert "broke off" in ENDS[path]((await gate.ask(path, stream=True)).text)
        assert (await gate.ask(path)).status_code == 502


@pytest.mark.parametrize("path", SURFACES)
async def test_what_fails_after_the_end_is_no_matter_of_the_clients(path: str) -> None:
    async with gateway(STARTED, TextDelta("Hello"), COMPLETED, RuntimeError("the books")) as gate:
        answer = await gate.ask(path, stream=True)
        assert "error" not in [orjson.loads(each).get("type", "") for each in data_of(answer.text) if each != "[DONE]"]
        # And its connection serves on.
        gate.answers.steps = (STARTED, TextDelta("Hello"), COMPLETED)
        assert (await gate.ask(path)).status_code == 200


@pytest.mark.parametrize("path", SURFACES)
async def test_a_body_that_is_too_deep_is_refused(path: str) -> None:
    deep: object = "x"
    for _ in range(200):
        deep = [deep]
    async with gateway() as gate:
        refused = await gate.ask(path, later_field=deep)
    assert (refused.status_code, refused.headers["x-nexus-reason"]) == (400, "REQUEST_INVALID")


async def test_a_stream_is_not_kept_waiting_for_what_is_settled_after_its_end() -> None:
    settled = asyncio.Event()
    async with gateway(STARTED, TextDelta("Hello"), COMPLETED, settled.wait) as gate:
        async with asyncio.timeout(2):
            assert "[DONE]" in (await gate.ask(stream=True)).text
        settled.set()


def test_every_class_of_the_taxonomy_is_among_these() -> None:
    missing = set(NexusError.__subclasses__()) - {type(error) for error in (*REASONS, *CLASSES)}
    assert missing <= {Internal}
