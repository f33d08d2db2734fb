"""The bounds of the HTTP server: what is too large, too slow, or too many."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from prometheus_client import REGISTRY

from shared.http_server.connection import Connection
from shared.http_server.exchange import Reply, Request
from tests.http_server_rig import LARGE_BYTES, TEXT, Hand, Peer, Seen, peer, served, unread_bytes, until
from tests.router_http import on_both_loops

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
GET_LARGE = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
LARGE = {
    "headers": (b"GET / HTTP/1.1\r\nHost: x\r\nA: %b\r\n\r\n" % (b"a" * 1000), 431, b"HEAD_TOO_LARGE"),
    "a head without an end": (b"GET / HTTP/1.1\r\nHost: x\r\nA: %b" % (b"a" * 1000), 431, b"HEAD_TOO_LARGE"),
    "a target": (b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 200), 414, b"TARGET_TOO_LONG"),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10 + b"\r\n", 431, b"HEAD_TOO_LARGE"),
    "a body": (POST % (b"/echo", 1_000_001), 413, b"BODY_TOO_LARGE"),
    "chunks": (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n80000000\r\n" + b"x" * 1_100_000,
        413,
        b"BODY_TOO_LARGE",
    ),
}


@pytest.mark.parametrize(("data", "status", "reason"), LARGE.values(), ids=LARGE)
@on_both_loops
async def test_what_is_too_large_is_refused(data: bytes, status: int, reason: bytes) -> None:
    async with served(Seen(), head_bytes=800, target_bytes=100, headers=10) as server, peer(server) as client:
        client.send(data)
        answer = await client.answer()
        assert (answer.status, answer.body) == (status, reason)
        assert await client.is_closed()


@on_both_loops
async def test_what_is_just_as_large_as_it_may_be_is_not() -> None:
    fields = b"Host: x\r\n" + b"A: b\r\n" * 8 + b"B: %b\r\n\r\n"
    empty = b"GET /%b HTTP/1.1\r\n" % (b"a" * 99) + fields % b""
    async with served(Seen(), head_bytes=800, target_bytes=100, headers=10) as server, peer(server) as client:
        client.send(empty.replace(b"B: ", b"B: " + b"b" * (800 - len(empty))))
        assert (await client.answer()).status == 200


@on_both_loops
async def test_a_slow_head_is_not_waited_for() -> None:
    async with served(Seen()) as server, peer(server) as client, peer(server) as mute:
        hand = Hand(server)
        client.send(GET)
        assert (await client.answer()).status == 200
        hand.later(9)
        for sent in range(10):
            client.send(GET[sent : sent + 1])
            await until(lambda sent=sent: any(len(line._ahead) > sent for line in server._hub.connections))
            hand.later(0.999)
        assert not client.reader._buffer  # type: ignore[attr-defined]
        hand.later(0.02)
        answer = await client.answer()
        assert (answer.status, answer.body) == (408, b"HEAD_TOO_SLOW")
        # Who said nothing at all is not told anything either.
        assert await mute.is_closed()


@on_both_loops
async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with served(Seen(), idle_s=0.1) as server, peer(server) as client:
        client.send(GET)
        assert (await client.answer()).status == 200
        assert await client.is_closed()


@on_both_loops
async def test_a_handler_may_take_longer_than_any_of_these() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        hand = Hand(server)
        client.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: seen.at_work)
        for _ in range(3):
            hand.later(500)
        seen.released.set()
        assert (await client.answer()).body == b"at last"


@pytest.mark.parametrize(
    "head", [POST % (b"/echo", 9000), b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
@on_both_loops
async def test_a_slow_body_is_not_waited_for(head: bytes) -> None:
    seen = Seen()
    async with served(seen, body_grace_s=0.1) as server, peer(server) as client:
        client.send(head)
        for _ in range(20):
            client.send(b"1")
            await asyncio.sleep(0.01)
        answer = await client.answer()
        assert (answer.status, answer.body, seen.bodies) == (408, b"BODY_TOO_SLOW", [])
        assert await client.is_closed()


@on_both_loops
async def test_a_body_that_takes_long_and_comes_fast_enough_is_read() -> None:
    async with served(Seen(), body_grace_s=0.05, body_bytes_s=100_000) as server, peer(server) as client:
        client.send(POST % (b"/echo", 200_000))
        for _ in range(20):
            client.send(b"x" * 10_000)
            await asyncio.sleep(0.01)
        assert (await client.answer()).json["body"] == "x" * 200_000


@on_both_loops
async def test_bodies_are_bounded_together() -> None:
    seen = Seen()
    async with served(seen, bodies_bytes=300_000) as server, AsyncExitStack() as stack:
        one, two, three = [await stack.enter_async_context(peer(server)) for _ in range(3)]
        one.send(POST % (b"/wait", 200_000) + b"x" * 200_000)
        await until(lambda: server._hub and server._hub.held_bytes == 200_000)
        # A body that is coming, and one that came with its head.
        two.send(POST % (b"/wait", 200_000))
        await until(lambda: len(seen.paths) == 2)
        two.send(b"x" * 200_000)
        answer = await two.answer()
        assert (answer.status, answer.body) == (503, b"BODIES_TOO_LARGE")
        await until(lambda: server._hub and server._hub.held_bytes == 200_000)
        three.send(POST % (b"/wait", 60_000) + b"x" * 60_000)
        await until(lambda: len(seen.paths) == 3)
        seen.released.set()
        assert [(await client.answer()).status for client in (one, three)] == [200, 200]
        assert server._hub
        assert server._hub.held_bytes == 0


@on_both_loops
async def test_connections_are_bounded() -> None:
    async with served(Seen(), connections=3) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(peer(server)) for _ in range(3)]
        for client in clients:
            client.send(GET)
            assert (await client.answer()).status == 200
        for _ in range(5):
            async with peer(server) as refused:
                answer = await refused.answer()
                assert (answer.status, answer.body) == (503, b"TOO_MANY_CONNECTIONS")
                assert await refused.is_closed()
        clients[0].writer.close()
        await until(lambda: server._hub and len(server._hub.connections) == 2)
        async with peer(server) as client:
            client.send(GET)
            assert (await client.answer()).status == 200


@on_both_loops
async def test_connections_of_one_address_are_bounded() -> None:
    async with served(Seen(), connections_per_peer=1) as server, peer(server) as client, peer(server) as second:
        assert (await second.answer()).body == b"TOO_MANY_CONNECTIONS"
        client.send(GET)
        assert (await client.answer()).status == 200
        reader, writer = await asyncio.open_connection(*server.address, local_addr=("127.0.0.2", 0))
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


@on_both_loops
async def test_a_small_body_that_nobody_reads_does_not_cost_the_connection() -> None:
    async with served(Seen()) as server, peer(server) as client:
        client.send(POST % (b"/deaf", 1000) + b"x" * 1000 + GET)
        assert (await client.answer()).status == 401
        assert (await client.answer()).status == 200


@on_both_loops
async def test_a_body_is_given_at_most_as_large_as_was_asked_for() -> None:
    async def handler(request: Request, reply: Reply) -> None:
        assert request.headers["content-length"] == "6"
        try:
            await request.body(5)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told
            reply.send(413, TEXT, type(error).__name__.encode())

    async with served(handler) as server, peer(server) as client:
        client.send(POST % (b"/", 6) + b"123456")
        assert (await client.answer()).body == b"InvalidInput"


@on_both_loops
async def test_refusals_and_connections_are_counted() -> None:
    def count(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0

    labels = {"reason": "REQUEST_MALFORMED"}
    refused, opened = count("nexus_http_server_refusals_total", **labels), count("nexus_http_server_connections")
    async with served(Seen()) as server:
        async with peer(server) as client:
            client.send(b"nonsense\r\n\r\n")
            assert (await client.answer()).status == 400
            assert count("nexus_http_server_connections") == opened + 1
        await until(lambda: count("nexus_http_server_connections") == opened)
    assert count("nexus_http_server_refusals_total", **labels) == refused + 1


@on_both_loops
async def test_a_reply_that_is_never_read_is_not_kept() -> None:
    async with served(Seen()) as server, peer(server) as client:
        hand = Hand(server)
        client.send(GET_LARGE)
        await hand.unread(client)
        hand.later(0)
        hand.later(29)
        await asyncio.sleep(0)
        assert server._hub.connections
        hand.later(1)
        await until(lambda: not server._hub.connections)


@on_both_loops
async def test_a_reply_must_be_taken_as_fast_as_is_said() -> None:
    # So the rest of one has 30 s and at most four more.
    async with served(Seen(), reply_bytes_s=1_000_000) as server, peer(server) as slow, peer(server) as quick:
        hand = Hand(server)
        for client in (slow, quick):
            client.send(GET_LARGE)
        line, _ = await hand.unread(slow), await hand.unread(quick)
        hand.later(0)
        await _take_some(slow, line)
        hand.later(20)
        assert line.moved_at == hand.time()
        assert len((await quick.answer()).body) == LARGE_BYTES
        # Something is taken all the time, and yet not enough.
        await _take_some(slow, line)
        hand.later(20)
        await until(lambda: len(server._hub.connections) == 1)
        quick.send(GET)
        assert (await quick.answer()).status == 200


@pytest.mark.parametrize("is_at_once", [False, True])
@on_both_loops
async def test_each_reply_has_the_time_of_its_own(is_at_once: bool) -> None:
    async with served(Seen(), reply_bytes_s=1_000_000) as server, peer(server) as client:
        hand = Hand(server)
        client.send(GET_LARGE * 3 if is_at_once else GET_LARGE)
        await hand.unread(client)
        for _ in range(2):
            # The server never sees that nothing waits.
            hand.later(0)
            hand.later(20)
            assert len((await client.answer()).body) == LARGE_BYTES
            if not is_at_once:
                client.send(GET_LARGE)
            await hand.unread(client)
        hand.later(0)
        assert len((await client.answer()).body) == LARGE_BYTES


async def _take_some(client: Peer, line: Connection) -> None:
    before = unread_bytes(line)
    while unread_bytes(line) == before:
        assert await client.reader.read(20_000)
        await asyncio.sleep(0)


@on_both_loops
async def test_replies_that_wait_for_their_clients_are_bounded_together() -> None:
    async with served(Seen()) as server, AsyncExitStack() as stack:
        hand = Hand(server)
        stalled, *others = [await stack.enter_async_context(peer(server)) for _ in range(3)]
        stalled.send(GET_LARGE)
        line = await hand.unread(stalled)
        hand.later(0)
        others[0].send(GET_LARGE)
        hand.bound_unread(line, await hand.unread(others[0]))
        before = _cut()
        hand.later(1)
        # Who took nothing for longest is cut, and nobody else.
        await until(lambda: len(server._hub.connections) == 2)
        hand.later(1)
        assert _cut() - before == 1
        assert len((await others[0].answer()).body) == LARGE_BYTES
        others[1].send(GET)
        assert (await others[1].answer()).status == 200


@on_both_loops
async def test_what_waited_for_one_that_is_cut_for_itself_costs_nobody_else() -> None:
    async with (
        served(Seen(), reply_bytes_s=1_000_000, head_s=60) as server,
        peer(server) as late,
        peer(server) as good,
        peer(server) as new,
    ):
        hand = Hand(server)
        late.send(GET_LARGE)
        line = await hand.unread(late)
        hand.later(0)
        good.send(GET_LARGE)
        other = await hand.unread(good)
        hand.later(10)
        await _take_some(late, line)
        hand.later(10)
        # All three would be too much; `late` is, and `good` took nothing for longest.
        new.send(GET_LARGE)
        hand.bound_unread(line, other, await hand.unread(new))
        before = _cut()
        hand.later(19)
        await until(lambda: len(server._hub.connections) == 2)
        assert _cut() - before == 1
        assert [len((await client.answer()).body) for client in (good, new)] == [LARGE_BYTES] * 2


def _cut() -> float:
    return REGISTRY.get_sample_value("nexus_http_server_stalled_total") or 0
