"""Bodies of requests that strangers write, before anybody looks at what they ask."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import orjson
import pytest

from provider_router.servicer.http.anthropic_messages.request import read_request
from provider_router.servicer.http.openai_chat.request import chat_wanted
from provider_router.servicer.http.openai_responses.request import response_wanted
from provider_router.servicer.http.request_body import MOST_LEVELS, most_of_body, read_object
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
