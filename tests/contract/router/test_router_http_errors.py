"""Errors over HTTP: the right status, the right shape, and never a stream that looks whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
import pytest
from router_gateway import CHAT, COMPLETED, MESSAGES, RESPONSES, STARTED, SURFACES, data_of, gateway

from provider_router.domain.calls.events import TextDelta
from provider_router.domain.errors import Reason, failure
from shared.errors import Cancelled, Forbidden, Internal, NexusError, NotFound, StaleWrite, Unauthenticated
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
        (Reason.DEADLINE_EXCEEDED, None),
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
