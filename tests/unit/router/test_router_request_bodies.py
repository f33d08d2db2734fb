"""Bodies of requests that strangers write, before anybody looks at what they ask."""

from __future__ import annotations

import time
from typing import Any, cast

import orjson
import pytest

from provider_router.servicer.http.request_body import MOST_LEVELS, read_object
from shared.errors import InvalidInput
from shared.http_server.exchange import Request


class Sent:
    """A request with a body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def body(self, most_bytes: int) -> bytes:
        return self._body[:most_bytes]


async def read(body: bytes) -> Any:
    return await read_object(cast("Request", Sent(body)), 1 << 20)


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
