"""Bodies of requests that strangers write, before anybody looks at what they ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest

from provider_router.servicer.http.anthropic_messages.request import read_request
from provider_router.servicer.http.openai_chat.request import chat_wanted
from provider_router.servicer.http.openai_responses.request import response_wanted
from provider_router.servicer.http.request_body import MOST_LEVELS, most_of_body, read_object
from provider_router.servicer.http.surface import Wanted
from shared.errors import InvalidInput
from shared.http_server.exchange import Request


class Sent:
    """A request with a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.headers = {"content-length": str(len(body))}

    async def body(self, most_bytes: int) -> bytes:
        return self._body[:most_bytes]


async def read(body: bytes) -> Any:
    return await read_object(cast("Request", Sent(body)), 1 << 20)


def test_a_body_whose_length_nobody_says_may_be_small() -> None:
    assert most_of_body({"content-length": "10"}, 1 << 25) == 10
    assert most_of_body({"content-length": str(1 << 30)}, 1 << 25) == 1 << 25
    assert most_of_body({"transfer-encoding": "chunked"}, 1 << 25) == 4 << 20
    assert most_of_body({}, 1 << 20) == 1 << 20


def nested(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


async def test_a_body_may_be_so_deep_and_no_deeper() -> None:
    assert await read(nested(MOST_LEVELS)) == orjson.loads(nested(MOST_LEVELS))
    with pytest.raises(InvalidInput, match="100 levels deep"):
        await read(nested(MOST_LEVELS + 1))


async def test_many_objects_beside_each_other_are_not_deep() -> None:
    body = orjson.dumps({"messages": [{"content": [{"text": "[{" * 100}]}] * 300})
    assert len((await read(body))["messages"]) == 300


async def test_depth_costs_nothing() -> None:
    began = time.process_time()
    for _ in range(3):
        with pytest.raises(InvalidInput, match="100 levels deep"):
            await read(nested(900))
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("body", [b'"a\\' * 14_000, b'"' * 40_000, b"\\" * 40_001, b'"a",' * 10_000])
async def test_a_body_of_broken_texts_takes_no_longer_than_its_length(body: bytes) -> None:
    began = time.process_time()
    with pytest.raises(InvalidInput):
        await read(b"," * 60_000 + body)
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("texts", ['"', "\\", '\\"', ',"', "[{"])
async def test_marks_in_texts_are_no_values(texts: str) -> None:
    fields = {"a": [texts * 30_000, texts], "b": texts}
    assert await read(orjson.dumps(fields)) == fields


@pytest.mark.parametrize("refused", [False, True])
async def test_reading_a_large_body_lets_others_work(refused: bool) -> None:
    body = orjson.dumps({"a": '[{"x", 1}, ' * 100_000, "b": [1] * 210_000 if refused else [1]})
    reading = asyncio.ensure_future(read_object(cast("Request", Sent(body)), 1 << 24))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 4
    assert isinstance(reading.exception(), InvalidInput) == refused


@pytest.mark.parametrize("reader", [chat_wanted, response_wanted, lambda fields: read_request(fields, {})])
@pytest.mark.parametrize("name", ["k{}", "k {}"])
def test_fields_that_nobody_knows_cost_little_however_many_there_are(reader: Any, name: str) -> None:
    fields = {name.format(number): 1 for number in range(20_000)}
    began = time.process_time()
    with pytest.raises(InvalidInput):
        reader({"model": "m", **fields})
    assert time.process_time() - began < 0.2


HI = {"role": "user", "content": "Hi"}
SURFACES: dict[str, Callable[[dict[str, Any]], Wanted]] = {
    "chat": lambda given: chat_wanted({"model": "m", "messages": [HI], **given}),
    "responses": lambda given: response_wanted({"model": "m", "input": "Hi", **given}),
    "messages": lambda given: read_request({"model": "m", "max_tokens": 5, "messages": [HI], **given}, {}),
}
EVERYWHERE = pytest.mark.parametrize("surface", SURFACES)


@EVERYWHERE
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"speed": "fast"}, "speed"),
        ({"Service_Tier": "flex"}, "Service_Tier"),
        ({"previous_response_id": "r"}, "previous_response_id"),
        *(
            ({name: 9}, name)
            for name in (
                *("max_len", "max_gen_len", "maxGenLen", "maxOutput", "min_length", "token_limit", "num_predict"),
                *("tokens_to_generate", "max_tokens_to_sample", "max_input_and_output_tokens", "max_total_tokens"),
            )
        ),
        ({"models": ["dearer"]}, "models"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"extra_body": {"a": 1}}, "extra_body"),
        ({"x": {"modalities": ["audio"]}}, "x.modalities"),
        ({"x": [{"Service_Tier": ["priority"]}]}, "x[0].Service_Tier"),
        ({"x": {"store": True}}, "x.store"),
        ({"x": {"models": {"a": 1}}}, "x.models"),
        ({"options": {"num_predict": {"a": 1}}}, "options.num_predict"),
        ({"options": {"properties": {"num_predict": 5}}}, "options.properties.num_predict"),
        ({"x\r\ny": 1}, "x\r\ny"),
    ],
)
def test_what_moves_price_place_or_tokens_is_refused_on_every_surface(
    surface: str, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        SURFACES[surface](given)
    assert [each.field for each in caught.value.violations] == [field]


@EVERYWHERE
@pytest.mark.parametrize(
    "given",
    [
        {"max_context_tokens": 9, "max_prompt_len": 9, "maxLength": 9, "skip_special_tokens": True},
        {"x": {"modalities": ["text"], "service_tier": "auto", "speed": None}},
        {"x": {"properties": {"speed": {"type": "string"}, "max_tokens": {"properties": {"store": {"type": "x"}}}}}},
    ],
)
def test_all_other_fields_pass_on_every_surface(surface: str, given: dict[str, Any]) -> None:
    body = SURFACES[surface](given).request.body
    assert body is not None
    assert (body.foreign, body.hints) == (tuple(given), ())


@EVERYWHERE
@pytest.mark.parametrize("given", [{"Plugins": [{"id": "web"}]}, {"Web_Search_Options": {}}, {"MCP_servers": [1]}])
def test_tools_of_the_providers_own_are_known_in_any_case(surface: str, given: dict[str, Any]) -> None:
    body = SURFACES[surface](given).request.body
    assert body is not None
    assert body.acting == tuple(given)
    assert "provider_tools" in SURFACES[surface](given).request.parameters


def _said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts)}]}


def _foreign(url: str) -> list[tuple[str, dict[str, Any], str]]:
    """Bodies that have `url` where only a provider of the dialect knows what it is for, and its place."""
    picture = {"type": "image", "source": {"type": "url", "url": url}}
    file = {"file_data": "QQ==", "file_url": url}
    shot = {"type": "computer_call_output", "call_id": "c", "output": {"image_url": url}}
    return [
        *((surface, {"x": {"y": ["a", url]}}, "x.y[1]") for surface in SURFACES),
        ("chat", {"images": [url]}, "images[0]"),
        ("chat", _said({"type": "file", "file": file}), "messages[0].content[0].file.file_url"),
        ("chat", {"messages": [{**HI, "images": [url]}]}, "messages[0].images[0]"),
        ("chat", {"tools": [{"type": "mcp", "server_url": url}]}, "tools[0].server_url"),
        ("responses", {"input": [HI, shot]}, "input[1].output.image_url"),
        ("responses", {"tools": [{"type": "mcp", "server_url": url}]}, "tools[0].server_url"),
        ("messages", _said({**picture, "type": "video"}), "messages[0].content[0].source.url"),
        (
            "messages",
            _said({"type": "search_result", "content": [picture]}),
            "messages[0].content[0].content[0].source.url",
        ),
        ("messages", _said({"type": "text", "text": "a", "x": url}), "messages[0].content[0].x"),
        ("messages", {"tools": [{"type": "mcp", "url": url}]}, "tools[0].url"),
    ]


@pytest.mark.parametrize(("surface", "given", "field"), _foreign(" HTTP:\\\\169.254.169.254/x"))
def test_no_field_that_nobody_knows_has_an_address_of_metadata(surface: str, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        SURFACES[surface](given)
    assert [each.field for each in caught.value.violations] == [field]


INSIDE, OUTSIDE = "http://redis:6379/x", "http://example.com and more"


@pytest.mark.parametrize(
    ("surface", "given", "inside"),
    [
        *((surface, given, INSIDE) for surface, given, _ in _foreign(INSIDE)),
        *((surface, given, "") for surface, given, _ in _foreign(OUTSIDE)),
    ],
)
def test_private_addresses_are_found_in_fields_that_nobody_knows(
    surface: str, given: dict[str, Any], inside: str
) -> None:
    assert SURFACES[surface](given).inside == inside


@pytest.mark.parametrize(
    "sources",
    [
        {"file_data": "data:application/pdf;base64,QQ==", "file_url": "https://x.test/"},
        {"file_url": "https://x.test/", "file_id": "f"},
        {"file_data": "https://x.test/"},
        {},
    ],
)
def test_a_file_has_one_source_and_its_data_is_no_address(sources: dict[str, Any]) -> None:
    asked = {"input": [{"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", **sources}]}]}
    with pytest.raises(InvalidInput, match=r"must have one of file_data, file_url, file_id|and no address"):
        SURFACES["responses"](asked)
