"""Clients that leave, stall or ask for too much at once, over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
import pytest
from router_gateway import (
    CHAT,
    COMPLETED,
    HELLO,
    KEY,
    MESSAGES,
    RESPONSES,
    STARTED,
    SURFACES,
    Gate,
    body_of,
    gateway,
    until,
)

from provider_router.domain.calls.events import TextDelta
from shared.http_server.limits import Limits
from shared.telemetry.metrics import HTTP_ACTIVE, HTTP_ERRORS, HTTP_SECONDS
from shared.testing.harness import principal


async def forever() -> None:
    await asyncio.sleep(3600)


@asynccontextmanager
async def asking(
    gate: Gate, path: str = CHAT, *, stream: bool, body: bytes = b"", length: int | None = None
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    """A connection on which a chat was asked for; it is left when the block ends."""
    raw = body or orjson.dumps({**body_of(path), "stream": stream})
    reader, writer = await asyncio.open_connection(*gate.address)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(raw) if length is None else length}\r\n\r\n".encode() + raw)
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.mark.parametrize("path", SURFACES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("told", [0, 2])
async def test_a_client_that_leaves_ends_the_work_at_once(path: str, stream: bool, told: int) -> None:
    async with gateway(*HELLO[:told], forever) as gate:
        async with asking(gate, path, stream=stream) as (reader, _):
            await until(lambda: gate.answers.told == told and bool(gate.answers.calls))
            if stream and told:
                await reader.readuntil(b"\r\n\r\n")
            assert not gate.answers.closed.is_set()
            left = time.perf_counter()
        async with asyncio.timeout(2):
            await gate.answers.closed.wait()
        # 100 ms are what is promised; the machine may be busy.
        assert time.perf_counter() - left < 0.5


async def test_a_router_that_stops_says_so_to_those_that_it_cannot_wait_for() -> None:
    counted = [HTTP_ERRORS.labels(path, "SHUTTING_DOWN").total for path in SURFACES]
    async with AsyncExitStack() as clients:
        async with gateway(STARTED, TextDelta("Hel"), forever) as gate:
            asked = {
                (path, stream): (await clients.enter_async_context(asking(gate, path, stream=stream)))[0]
                for path in SURFACES
                for stream in (True, False)
            }
            await until(lambda: gate.answers.told == 2 * len(asked))
        told = {key: await reader.read() for key, reader in asked.items()}
    words = {CHAT: b'"server_error"', RESPONSES: b'"server_error"', MESSAGES: b'"overloaded_error"'}
    for path in SURFACES:
        streamed, whole = told[path, True], told[path, False]
        assert b"Hel" in streamed
        assert words[path] in streamed
        assert streamed.endswith(b"\r\n0\r\n\r\n")
        assert whole.startswith(b"HTTP/1.1 529 " if path == MESSAGES else b"HTTP/1.1 503 ")
        assert b"x-nexus-reason: SHUTTING_DOWN\r\nretry-after: 1\r\n" in whole
        assert b"x-should-retry" not in whole
        for each in (streamed, whole):
            assert b"The router is shutting down" in each
    assert [HTTP_ERRORS.labels(path, "SHUTTING_DOWN").total for path in SURFACES] == [each + 2 for each in counted]


async def test_a_client_that_reads_nothing_is_not_read_ahead_for_and_is_cut_off() -> None:
    many = [TextDelta("x" * 10_000)] * 5_000
    limits = Limits(stall_s=0.3)
    async with gateway(STARTED, *many, COMPLETED, limits=limits) as gate, asking(gate, stream=True):
        await until(lambda: gate.answers.told > 10)
        await asyncio.sleep(0.1)
        # The rest waits where it is: some megabytes are in the sockets' buffers.
        assert gate.answers.told < 2_000
        async with asyncio.timeout(5):
            await gate.answers.closed.wait()
        assert gate.answers.told < 2_000


@pytest.mark.parametrize(("path", "beat"), [(CHAT, b":"), (MESSAGES, b"ping")])
async def test_a_silent_stream_shows_that_it_is_alive(path: str, beat: bytes) -> None:
    async with (
        gateway(STARTED, TextDelta("Hel"), forever, heartbeat_s=0.05) as gate,
        asking(gate, path, stream=True) as (reader, _),
        asyncio.timeout(2),
    ):
        await reader.readuntil(b"Hel")
        for _ in range(2):
            await reader.readuntil(beat)


async def test_a_stream_that_talks_has_no_heartbeats() -> None:
    async def a_moment() -> None:
        await asyncio.sleep(0.02)

    async with gateway(STARTED, *[TextDelta("x"), a_moment] * 10, COMPLETED, heartbeat_s=0.1) as gate:
        answer = await gate.ask(stream=True)
        assert [line for line in answer.text.splitlines() if line.startswith(":")] == [
            ': nexus {"cost_usd":"0.001234"}'
        ]


async def test_a_key_may_have_so_many_calls_open_and_no_more() -> None:
    async with gateway(STARTED, forever, calls_per_key=2) as gate:
        gate.keys.keys["nxk_two"] = principal(key_id="k-2")
        async with asking(gate, stream=True), asking(gate, stream=True):
            await until(lambda: gate.answers.told == 2)
            refused = await gate.ask(stream=True)
            assert (refused.status_code, refused.headers["x-nexus-reason"]) == (429, "TOO_MANY_CALLS")
            assert refused.headers["retry-after"] == "1"
            # Another key of the same user has its own.
            gate.answers.steps = HELLO
            assert (await gate.ask(headers={"authorization": "Bearer nxk_two"})).status_code == 200
        await until(lambda: HTTP_ACTIVE.labels(CHAT).total == 0)
        assert (await gate.ask()).status_code == 200


async def test_the_open_calls_of_a_key_may_hold_so_many_bytes_and_no_more() -> None:
    async with gateway(STARTED, forever, bytes_per_key=3_000, body_bytes=2_500) as gate:
        body = orjson.dumps({**body_of(CHAT), "stream": True, "stop": ["u" * 2_000]})
        async with asking(gate, stream=True, body=body):
            await until(lambda: gate.answers.told == 1)
            refused = await gate.http.post(CHAT, content=body, headers={"content-type": "application/json"})
            assert (refused.status_code, refused.headers["x-nexus-reason"]) == (429, "TOO_MANY_BYTES")
            gate.answers.steps = HELLO
            assert (await gate.ask()).status_code == 200
        await until(lambda: HTTP_ACTIVE.labels(CHAT).total == 0)
        assert (
            await gate.http.post(CHAT, content=body, headers={"content-type": "application/json"})
        ).status_code == 200


async def test_nobodys_body_is_waited_for() -> None:
    async with gateway() as gate:
        reader, writer = await asyncio.open_connection(*gate.address)
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
        async with asyncio.timeout(2):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_requests_are_counted_by_route_and_status_and_strangers_make_no_labels() -> None:
    def served(route: str, status: str, method: str = "POST") -> float:
        return HTTP_SECONDS.labels(method, route, status).total

    def failed(route: str, reason: str) -> float:
        return HTTP_ERRORS.labels(route, reason).total

    before = (
        served(CHAT, "200"),
        served("other", "404", "_OTHER"),
        failed("other", "PATH_UNKNOWN"),
        failed(CHAT, "CALLER_LEFT"),
    )
    async with gateway() as gate:
        await gate.ask()
        await gate.http.get("/secret/of/mine")
        gate.answers.steps = (STARTED, forever)
        async with asking(gate, stream=True):
            await until(lambda: gate.answers.told == 5)
        await until(lambda: HTTP_ACTIVE.labels(CHAT).total == 0)
    after = (
        served(CHAT, "200"),
        served("other", "404", "_OTHER"),
        failed("other", "PATH_UNKNOWN"),
        failed(CHAT, "CALLER_LEFT"),
    )
    assert all(now > then for now, then in zip(after, before, strict=True))
