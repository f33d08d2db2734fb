"""Answers over HTTP: whole and streamed, relayed and translated, with what their headers say."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from router_gateway import (
    CHAT,
    COMPLETED,
    HELLO,
    MESSAGES,
    RESPONSES,
    STARTED,
    SURFACES,
    comments_of,
    data_of,
    gateway,
)

from provider_router.domain.calls.events import Attempt, CacheHit, Continued, Relayed, TextDelta

FAILED = Attempt("two/chat", "PROVIDER_TIMEOUT", 0.5)
LAST = {CHAT: "[DONE]", RESPONSES: "response.completed", MESSAGES: "message_stop"}


def text_in(path: str, body: bytes) -> str:
    """The text of a whole answer."""
    told = orjson.loads(body)
    if path == CHAT:
        return told["choices"][0]["message"]["content"]
    return (told["output"][0] if path == RESPONSES else told)["content"][0]["text"]


@pytest.mark.parametrize("path", SURFACES)
async def test_a_whole_answer(path: str) -> None:
    async with gateway() as gate:
        answer = await gate.ask(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert text_in(path, answer.content) == "Hello"
        assert (gate.call.request.whole, gate.call.streamed) == (True, False)
        told = {name: value for name, value in answer.headers.items() if name.startswith("x-nexus-")}
        assert told == {
            "x-nexus-decision-id": "d-1",
            "x-nexus-provider": "one",
            "x-nexus-model": "one/chat",
            "x-nexus-attempts": "1",
            "x-nexus-cache": "off",
            "x-nexus-cost-usd": "0.001234",
        }


@pytest.mark.parametrize("path", SURFACES)
async def test_a_streamed_answer(path: str) -> None:
    async with gateway() as gate:
        answer = await gate.ask(path, stream=True)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-cache", "no")
        assert (answer.headers["x-nexus-model"], answer.headers["x-nexus-decision-id"]) == ("one/chat", "d-1")
        assert "x-nexus-cost-usd" not in answer.headers
        assert (gate.call.request.whole, gate.call.streamed) == (False, True)
        assert LAST[path] in data_of(answer.text)[-1]
        assert comments_of(answer.text) == [': nexus {"cost_usd":"0.001234"}']
        assert '"Hel"' in answer.text
        assert '"lo"' in answer.text


async def test_a_whole_answer_of_the_callers_dialect_is_passed_on_as_it_is() -> None:
    wire = b'{"as": "the provider", "said":  it}'
    async with gateway(STARTED, replace(COMPLETED, wire=wire)) as gate:
        assert (await gate.ask()).content == wire


async def test_a_stream_of_the_callers_dialect_is_passed_on_as_it_is() -> None:
    first, rest = b'data: {"x": 1}\n\ndata:{"y":2}\n\n', b'data: {"usage":  null}\n\n'
    steps = (STARTED, Relayed(first, (TextDelta("a"),)), Relayed(b""), replace(COMPLETED, wire=rest))
    async with gateway(*steps) as gate:
        answer = await gate.ask(stream=True)
        comment = b': nexus {"cost_usd":"0.001234"}\n\n'
        assert answer.content == first + comment + rest + b"data: [DONE]\n\n"


@pytest.mark.parametrize("stream", [False, True])
async def test_headers_tell_what_became_of_the_request(stream: bool) -> None:
    started = replace(STARTED, attempts=(FAILED, FAILED), dropped=("seed", "évil\r\nx: y", "logprobs"))
    async with gateway(started, *HELLO[1:]) as gate:
        headers = (await gate.ask(stream=stream)).headers
        assert headers["x-nexus-attempts"] == "3"
        assert headers["x-nexus-warnings"] == "dropped: seed, ?vil??x: y, logprobs"
        assert "x" not in headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("started", "model", "told"),
    [
        ({"limited_to": 256}, "one/chat", "limited: output_tokens=256"),
        ({"demonstration": True}, "nexus/auto", "demonstration"),
        ({"demonstration": True}, "nexus/fast", "demonstration"),
        ({"demonstration": True}, "one/chat", None),
        ({"demonstration": True}, "one/", None),
        (
            {"limited_to": 9, "demonstration": True, "dropped": ("seed", "n")},
            "auto",
            "limited: output_tokens=9; demonstration; dropped: seed, n",
        ),
    ],
)
async def test_what_callers_may_not_expect_is_in_the_warnings(
    started: dict[str, object], model: str, told: str | None, stream: bool
) -> None:
    async with gateway(replace(STARTED, **started), *HELLO[1:]) as gate:
        assert (await gate.ask(model=model, stream=stream)).headers.get("x-nexus-warnings") == told


@pytest.mark.parametrize("path", SURFACES)
async def test_an_answer_that_the_router_writes_has_the_name_that_its_provider_would_give(path: str) -> None:
    async with gateway() as gate:
        assert (await gate.ask(path)).json()["model"] == "chat"
        streamed = await gate.ask(path, stream=True)
        assert '"model":"chat"' in streamed.text
        assert "one/chat" not in streamed.text
        assert streamed.headers["x-nexus-model"] == "one/chat"


@pytest.mark.parametrize(
    ("mode", "hit", "told"),
    [
        ("exact", None, "miss"),
        ("exact", CacheHit(semantic=False, age_s=12.4, similarity_ppm=1_000_000), "hit; age=12"),
        ("semantic", CacheHit(semantic=True, age_s=0.0, similarity_ppm=970_000), "hit; age=0; semantic"),
        ("off", None, "off"),
    ],
)
async def test_headers_tell_whether_the_cache_answered(mode: str, hit: CacheHit | None, told: str) -> None:
    async with gateway(replace(STARTED, cache_hit=hit), *HELLO[1:]) as gate:
        headers = (await gate.ask(headers={"x-nexus-cache": mode})).headers
        assert (headers["x-nexus-cache"], headers["x-nexus-attempts"]) == (told, "0" if hit else "1")


@pytest.mark.parametrize("path", SURFACES)
async def test_a_continued_answer_names_who_went_on(path: str) -> None:
    steps = (
        STARTED,
        TextDelta("Hel"),
        Continued("two/chat", ()),
        TextDelta("lo"),
        replace(COMPLETED, cost_unknown=True),
    )
    async with gateway(*steps) as gate:
        headers = {"x-nexus-on-break": "continue"}
        whole = await gate.ask(path, headers=headers)
        assert text_in(path, whole.content) == "Hello"
        assert whole.headers["x-nexus-continued-by"] == "two/chat"
        assert whole.headers["x-nexus-cost-usd"] == "0.001234; incomplete"
        streamed = await gate.ask(path, headers=headers, stream=True)
        (comment,) = comments_of(streamed.text)
        assert orjson.loads(comment.removeprefix(": nexus ")) == {
            "cost_usd": "0.001234; incomplete",
            "continued_by": ["two/chat"],
        }


async def test_routing_headers_become_routing_options() -> None:
    async with gateway() as gate:
        await gate.ask(
            headers={
                "x-nexus-tier": "deep",
                "x-nexus-data-class": "confidential",
                "x-nexus-residency": "EU,us-east",
                "x-nexus-max-cost-usd": "0.05",
                "x-nexus-timeout": "2.5",
                "x-nexus-conversation": "c 1",
                "x-nexus-cache": "semantic",
                "x-nexus-cache-max-age": "60",
                "x-nexus-on-break": "continue",
                "x-nexus-hedge": "false",
                "x-nexus-drop-unsupported": "true",
            },
            model="nexus/auto",
        )
        options = gate.call.options
        assert (options.model, options.tier, options.residency) == ("auto", "deep", {"eu", "us-east"})
        assert (options.data_class.name, options.max_cost_micro_usd, options.timeout_ms) == (
            "CONFIDENTIAL",
            50_000,
            2500,
        )
        assert (options.conversation_id, options.cache, options.cache_max_age_s) == ("c 1", "semantic", 60)
        assert (options.on_break, options.hedge, options.drop_unsupported) == ("continue", False, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tier", ""),
        ("tier", "x" * 65),
        ("data-class", "secret"),
        ("residency", "eu,,us"),
        ("residency", ",".join(["eu"] * 33)),
        ("max-cost-usd", "-1"),
        ("max-cost-usd", "NaN"),
        ("max-cost-usd", "1e99"),
        ("max-cost-usd", "five"),
        ("timeout", "0"),
        ("timeout", "86401"),
        ("timeout", "inf"),
        ("conversation", "x" * 129),
        ("cache", "yes"),
        ("cache-max-age", "0"),
        ("cache-max-age", "1.5"),
        ("on-break", "restart"),
        ("hedge", "1"),
        ("drop-unsupported", "yes"),
        ("data-clas", "public"),
    ],
)
async def test_a_routing_header_that_is_wrong_is_refused_by_name(name: str, value: str) -> None:
    async with gateway() as gate:
        for path in (CHAT, MESSAGES):
            answer = await gate.ask(path, headers={f"x-nexus-{name}": value})
            assert (answer.status_code, answer.headers["x-nexus-reason"]) == (400, "REQUEST_INVALID")
            assert f"x-nexus-{name}" in answer.json()["error"]["message"]
        assert gate.answers.calls == []


@pytest.mark.parametrize(
    ("name", "model", "tier"),
    [
        ("one/chat", "one/chat", ""),
        ("two/only", "two/only", ""),
        ("only", "two/only", ""),
        ("two/", "two/", ""),
        ("auto", "auto", ""),
        ("nexus/auto", "auto", ""),
        ("nexus/deep", "", "deep"),
    ],
)
async def test_names_of_models(name: str, model: str, tier: str) -> None:
    async with gateway() as gate:
        assert (await gate.ask(model=name)).status_code == 200
        assert (gate.call.options.model, gate.call.options.tier) == (model, tier)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chat", "name one of one/chat, two/chat"),
        ("nexus/none", "There are: nexus/auto, nexus/fast"),
        ("three/chat", "one/chat, two/chat"),
        ("three/", "There is no model"),
        ("embed", "There is no model"),
    ],
)
@pytest.mark.parametrize("path", SURFACES)
async def test_a_name_that_stands_for_no_one_model_is_refused_with_those_there_are(
    path: str, name: str, words: str
) -> None:
    async with gateway() as gate:
        answer = await gate.ask(path, model=name)
        assert (answer.status_code, answer.headers["x-nexus-reason"]) == (404, "MODEL_UNKNOWN")
        assert words in answer.json()["error"]["message"]


async def test_a_tier_may_not_be_named_twice_in_two_ways() -> None:
    async with gateway() as gate:
        assert (await gate.ask(model="nexus/fast", headers={"x-nexus-tier": "fast"})).status_code == 200
        assert (await gate.ask(model="nexus/fast", headers={"x-nexus-tier": "deep"})).status_code == 400
