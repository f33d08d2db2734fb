"""The router's HTTP client over real sockets: which connections are used again, and which are not."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from router_http import (
    HEAD,
    JSON_HEAD,
    Peer,
    answering,
    body_of,
    chunk,
    client,
    eventually,
    on_both_loops,
    serving,
)

from shared.errors import NexusError

FULL = HEAD + b"Content-Length: 3\r\n\r\nabc"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@on_both_loops
async def test_a_connection_is_used_again_after_a_whole_answer() -> None:
    async with serving(answering(FULL)) as server, client() as made:
        assert [await body_of(made, server.call()) for _ in range(5)] == [b"abc"] * 5
        assert [len(peer.requests) for peer in server.peers] == [5]


@on_both_loops
async def test_no_more_connections_than_allowed_and_who_waits_is_served_in_order() -> None:
    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            await asyncio.sleep(0.005)
            await peer.send(HEAD + b"Content-Length: 2\r\n\r\n" + request[-2:])

    done: list[bytes] = []
    async with serving(script) as server, client(connections_per_host=2) as made:

        async def one(number: int) -> None:
            done.append(await body_of(made, server.call(b"%02d" % number)))

        await asyncio.gather(*(one(number) for number in range(20)))
    assert len(server.peers) == 2
    numbers = [int(each) for each in done]
    assert sorted(numbers) == list(range(20))
    assert all(abs(place - number) <= 1 for place, number in enumerate(numbers))


@on_both_loops
async def test_the_line_for_a_connection_is_bounded() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with serving(silent) as server, client(connections_per_host=1, waiting_per_host=3) as made:
        calls = [asyncio.ensure_future(body_of(made, server.call())) for _ in range(4)]
        await eventually(lambda: len(server.requests) == 1)
        with pytest.raises(NexusError) as caught:
            await body_of(made, server.call())
        assert caught.value.reason == "DEPLOYMENTS_BUSY"
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


@on_both_loops
async def test_who_leaves_the_line_or_loses_a_connection_holds_up_nobody() -> None:
    async def script(peer: Peer) -> None:
        request = await peer.request()
        if request.endswith(b"hang"):
            await peer.gone()
        else:
            await peer.send(FULL)
            await peer.request()

    async with serving(script) as server, client(connections_per_host=1) as made:
        first, left, waits = (
            asyncio.ensure_future(body_of(made, server.call(body))) for body in (b"hang", b"left", b"here")
        )
        await eventually(lambda: len(server.requests) == 1)
        left.cancel()
        await asyncio.sleep(0)
        first.cancel()
        assert await waits == b"abc"
        assert [request[-4:] for request in server.requests] == [b"hang", b"here"]
        await asyncio.gather(first, left, return_exceptions=True)


@pytest.mark.parametrize("whole", [True, False], ids=["a connection", "a place"])
@on_both_loops
async def test_who_leaves_just_when_its_turn_comes_passes_it_on(whole: bool) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(FULL if whole or peer.number else CHUNKED)

    async with serving(script) as server, client(connections_per_host=1) as made:
        first = await made.streamed(server.call())
        if whole:
            assert await first.read() == b"abc"
        left, waits = (asyncio.ensure_future(body_of(made, server.call())) for _ in range(2))
        await asyncio.sleep(0.01)
        first.close()
        if whole:
            left.cancel()
        else:
            # The connection is closed in the next turn of the loop, which offers its place.
            asyncio.get_running_loop().call_soon(left.cancel)
        assert await asyncio.wait_for(waits, 2) == b"abc"
        with pytest.raises(asyncio.CancelledError):
            await left


@on_both_loops
async def test_a_wait_for_a_connection_ends_with_the_time_of_the_call() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with serving(silent) as server, client(connections_per_host=1, first_token_s=0.1) as made:
        calls = await asyncio.gather(*(body_of(made, server.call()) for _ in range(2)), return_exceptions=True)
    assert [getattr(call, "reason", repr(call)) for call in calls] == ["PROVIDER_TIMEOUT"] * 2


@on_both_loops
async def test_a_connection_that_the_provider_closes_is_noticed_at_once() -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(FULL)

    async with serving(once) as server, client() as made:
        for _ in range(3):
            assert await body_of(made, server.call()) == b"abc"
            await asyncio.sleep(0.02)
    assert [len(peer.requests) for peer in server.peers] == [1, 1, 1]


@on_both_loops
async def test_a_connection_that_rests_too_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider_router.adapters.http.connection._KEEP_ALIVE_S", 0.05)
    closed: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(FULL)
        began = time.monotonic()
        await peer.gone()
        closed.append(time.monotonic() - began)

    async with serving(script) as server, client() as made:
        await body_of(made, server.call())
        await eventually(lambda: bool(closed))
    assert 0.03 < closed[0] < 2


async def stale(peer: Peer) -> None:
    """Answers the first request; takes the second of the connection and closes without a word."""
    await peer.request()
    await peer.send(JSON_HEAD + b"Content-Length: 2\r\n\r\n{}")
    await peer.request()


@on_both_loops
async def test_a_post_on_a_connection_that_closes_without_an_answer_is_never_sent_twice() -> None:
    async with serving(stale) as server, client() as made:
        assert await made.whole(server.call(b"1")) == b"{}"
        with pytest.raises(NexusError) as caught:
            await made.whole(server.call(b"2"))
        assert caught.value.reason == "PROVIDER_UNREACHABLE"
        assert "connection was lost" in caught.value.message
        assert [request[-1:] for request in server.requests] == [b"1", b"2"]


@on_both_loops
async def test_a_get_on_a_connection_that_closes_without_an_answer_is_sent_once_more() -> None:
    async with serving(stale) as server, client() as made:
        await made.whole(server.call(b"1"))
        await made.get(server.call(b""), 2)
        assert [len(peer.requests) for peer in server.peers] == [2, 1]


@on_both_loops
async def test_a_get_whose_first_connection_fails_is_not_sent_again() -> None:
    async def rude(peer: Peer) -> None:
        await peer.request()

    async with serving(rude) as server, client() as made:
        with pytest.raises(NexusError):
            await made.get(server.call(b""), 2)
        assert len(server.peers) == 1


@on_both_loops
async def test_one_stale_connection_tells_of_the_others() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(0.02)
        await peer.send(FULL)
        await peer.request()

    async with serving(script) as server, client() as made:
        await asyncio.gather(*(body_of(made, server.call()) for _ in range(4)))
        assert len(server.peers) == 4
        with pytest.raises(NexusError):
            await body_of(made, server.call())
        # A fresh connection, though three more rested.
        assert await body_of(made, server.call()) == b"abc"
        assert len(server.peers) == 5


@pytest.mark.parametrize(
    "answer",
    [
        FULL + b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 4\r\n\r\nevil",
        FULL + b"evil",
        HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["a second answer", "more bytes", "close", "HTTP/1.0"],
)
@on_both_loops
async def test_what_comes_after_an_answer_is_never_taken_for_the_next(answer: bytes) -> None:
    async with serving(answering(answer)) as server, client() as made:
        assert [await body_of(made, server.call()) for _ in range(3)] == [b"abc"] * 3
    assert [len(peer.requests) for peer in server.peers] == [1, 1, 1]


@on_both_loops
async def test_bytes_on_a_connection_that_rests_close_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(FULL)
        await asyncio.sleep(0.02)
        await peer.send(HEAD + b"Content-Length: 4\r\n\r\nevil")
        await peer.request()

    async with serving(script) as server, client() as made:
        assert await body_of(made, server.call()) == b"abc"
        await asyncio.sleep(0.05)
        assert await body_of(made, server.call()) == b"abc"
    assert [len(peer.requests) for peer in server.peers] == [1, 1]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: -1\r\n\r\nabc",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
@on_both_loops
async def test_an_answer_whose_end_could_be_disputed_is_refused(head: bytes) -> None:
    async with serving(answering(HEAD + head)) as server, client() as made:
        with pytest.raises(NexusError) as caught:
            await body_of(made, server.call())
        assert caught.value.reason == "PROVIDER_BAD_RESPONSE"
        await eventually(server.peers[0].writer.transport.is_closing)


@on_both_loops
async def test_a_call_that_settles_gives_its_connection_back_when_the_rest_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("provider_router.adapters.http.connection._SETTLE_S", 2.0)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(CHUNKED + chunk(b"abc"))
            await asyncio.sleep(0.01)
            await peer.send(b"0\r\n\r\n")

    async with serving(script) as server, client() as made:
        for _ in range(3):
            answer = await made.streamed(server.call())
            assert await answer.read() == b"abc"
            answer.settle()
            await asyncio.sleep(0.1)
        assert [len(peer.requests) for peer in server.peers] == [3]


@pytest.mark.parametrize(
    ("rest", "settle_s"),
    [(b"", 0.05), (chunk(b"x" * 100_000), 10.0), (b"garbage", 10.0)],
    ids=["nothing", "too much", "no chunk"],
)
@on_both_loops
async def test_a_call_that_settles_gives_up_a_connection_that_does_not_come_to_an_end(
    monkeypatch: pytest.MonkeyPatch, rest: bytes, settle_s: float
) -> None:
    monkeypatch.setattr("provider_router.adapters.http.connection._SETTLE_S", settle_s)
    closed: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + chunk(b"abc"))
        await asyncio.sleep(0.01)
        await peer.send(rest)
        await peer.gone()
        closed.append(peer.number)

    async with serving(script) as server, client() as made:
        answer = await made.streamed(server.call())
        assert await answer.read() == b"abc"
        answer.settle()
        answer.close()
        await eventually(lambda: closed == [0])
        assert len(server.peers) == 1


@on_both_loops
async def test_stopping_closes_every_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(FULL)
        await peer.gone()

    async with serving(script) as server:
        async with client() as made:
            await asyncio.gather(*(body_of(made, server.call()) for _ in range(3)))
            await made.stop()
            with pytest.raises(NexusError) as caught:
                await body_of(made, server.call())
            assert caught.value.reason == "PROVIDER_UNREACHABLE"
        await eventually(lambda: all(peer.writer.transport.is_closing() for peer in server.peers))


@on_both_loops
async def test_a_name_that_nobody_answers_for_keeps_no_other_name_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    real, answered, asked = socket.getaddrinfo, threading.Event(), []

    def getaddrinfo(host: str, port: int, *_: object, **options: object) -> object:
        if host != "nobody.invalid":
            return real(host, port, **options)
        asked.append(host)
        answered.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "nobody knows")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", _in_thread(getaddrinfo))
    async with serving(answering(FULL)) as server, client(connect_s=3) as made:
        calls = [asyncio.create_task(body_of(made, server.call(host="nobody.invalid"))) for _ in range(50)]
        try:
            await eventually(lambda: bool(asked))
            assert await body_of(made, server.call(host="localhost")) == b"abc"
            # Who leaves takes nothing from the others who wait for the same answer.
            calls[0].cancel()
            await asyncio.sleep(0.01)
        finally:
            answered.set()
        found = await asyncio.gather(*calls, return_exceptions=True)
    assert asked == ["nobody.invalid"]
    assert isinstance(found[0], asyncio.CancelledError)
    assert {str(each) for each in found[1:] if "cannot be resolved" in str(each)} == {str(found[1])}


def _in_thread(function: Callable[..., object]) -> Callable[..., Awaitable[object]]:
    """What the loop does, in as many threads as it has on the smallest machine."""
    pool = ThreadPoolExecutor(4)

    async def called(host: str, port: int, **options: object) -> object:
        return await asyncio.get_running_loop().run_in_executor(pool, partial(function, host, port, **options))

    return called
