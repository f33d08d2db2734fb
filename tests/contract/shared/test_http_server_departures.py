"""Clients of the HTTP server that leave, stall, or send more than they were asked for."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
from prometheus_client import REGISTRY

from shared.http_server.connection import Connection
from shared.http_server.server import HttpServer
from tests.http_server_rig import Peer, Seen, peer, served, until
from tests.router_http import on_both_loops

LEAVES: dict[str, Callable[[Peer], None]] = {
    "closes": lambda client: client.writer.close(),
    "resets": lambda client: client.reset(),
    "closes its side": lambda client: client.writer.write_eof(),
}
MID = {
    "before the reply": b"GET /think HTTP/1.1\r\nHost: x\r\n\r\n",
    "before the reply, its body read": b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
    "while its body is awaited": b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhi",
    "within the reply": b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    "behind an early request": b"GET /think HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
    "behind early bytes within the reply": b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 60_000,
    "behind a body that nobody reads": b"POST /think HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    + b"x" * 100_000,
}


@pytest.mark.parametrize("request_bytes", MID.values(), ids=MID)
@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
@on_both_loops
async def test_the_work_for_a_client_that_left_ends_within_100_ms(
    request_bytes: bytes, leave: Callable[[Peer], None]
) -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(request_bytes)
        await client.writer.drain()
        await until(lambda: seen.at_work)
        await asyncio.sleep(0.01)
        assert seen.at_work == 1
        leave(client)
        assert await until(lambda: not seen.at_work) < 0.1
        assert seen.cancelled == 1
        await _is_empty(server)


@on_both_loops
async def test_a_client_that_leaves_with_its_request_is_forgotten() -> None:
    seen = Seen()
    async with served(seen) as server:
        for _ in range(20):
            async with peer(server) as client:
                client.send(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        await _is_empty(server)
        assert not seen.at_work


@on_both_loops
async def test_nothing_is_begun_for_one_that_is_gone_already() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server):
        assert server._hub
        await until(lambda: server._hub and server._hub.connections)
        (connection,) = server._hub.connections
        assert isinstance(connection, Connection)
        # A loop may see the request and the end in one turn.
        connection.data_received(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        connection.eof_received()
        await _is_empty(server)
        assert not seen.paths


@on_both_loops
async def test_whoever_writes_on_and_on_to_a_client_that_left_is_stopped() -> None:
    turns = 0

    async def handler(_: object, reply: object) -> None:
        nonlocal turns
        reply.begin(200, [])  # type: ignore[attr-defined]
        while turns < 1_000_000:
            turns += 1
            reply.write(b"x" * 10_000)  # type: ignore[attr-defined]
            if reply.is_behind:  # type: ignore[attr-defined]
                await reply.drained()  # type: ignore[attr-defined]
            elif turns == 20:
                # The client leaves within a turn of the loop, which sees it only when it writes.
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                line.close()

    async with served(handler) as server:
        line = socket.create_connection(server.address)
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: turns)
        await _is_empty(server)
        assert turns < 1_000


@on_both_loops
async def test_a_client_that_reads_nothing_is_cut_off() -> None:
    seen = Seen()
    async with served(seen, stall_s=0.2) as server, peer(server, limit=1) as client:
        client.send(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: seen.at_work)
        before = _stalled()
        assert 0.1 < await until(lambda: not seen.at_work) < 2
        assert (seen.cancelled, _stalled() - before) == (1, 1)
        await _is_empty(server)


@on_both_loops
async def test_so_is_one_that_reads_nothing_of_a_reply_that_was_sent_whole() -> None:
    async def handler(_: object, reply: object) -> None:
        reply.send(200, [], b"x" * 20_000_000)  # type: ignore[attr-defined]

    async with served(handler, stall_s=0.2) as server, peer(server, limit=1) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await _is_empty(server)


@on_both_loops
async def test_a_slow_reader_is_waited_for() -> None:
    seen = Seen()
    async with served(seen, stall_s=0.3) as server, peer(server, limit=1) as client:
        client.send(b"GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        got = 0
        # More than buffers hold, so that what is read is what was waited for; and longer than a stall may last.
        for _ in range(60):
            got += len(await client.reader.read(500_000))
            await asyncio.sleep(0.01)
        seen.released.set()
        assert (seen.cancelled, seen.at_work) == (0, 1)
        while piece := await client.reader.read(500_000):
            got += len(piece)
            if piece.endswith(b"0\r\n\r\n"):
                break
        assert got > 10_000_000


@on_both_loops
async def test_a_writer_is_told_that_its_client_is_behind() -> None:
    written = 0

    async def handler(_: object, reply: object) -> None:
        nonlocal written
        reply.begin(200, [])  # type: ignore[attr-defined]
        while True:
            reply.write(b"x" * 10_000)  # type: ignore[attr-defined]
            written += 10_000
            if reply.is_behind:  # type: ignore[attr-defined]
                await reply.drained()  # type: ignore[attr-defined]

    async with served(handler) as server, peer(server, limit=1) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        before = written
        await asyncio.sleep(0.05)
        assert 0 < before == written
        await client.reader.readexactly(3_000_000)
        await until(lambda: written > before)


@on_both_loops
async def test_a_client_that_sends_more_and_more_fills_no_memory() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(b"POST /think HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n")
        await seen.asked.wait()
        before = psutil.Process().memory_info().rss
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                while True:
                    client.send(b"x" * 100_000)
                    await client.writer.drain()
        assert psutil.Process().memory_info().rss - before < 8_000_000
        assert _held(server) < 600_000
        seen.released.set()
        assert (await client.answer()).body == b"at last"


@on_both_loops
async def test_a_client_that_asks_and_asks_and_does_not_read_fills_no_memory() -> None:
    served_count = 0

    async def handler(_: object, reply: object) -> None:
        nonlocal served_count
        served_count += 1
        reply.send(200, [], b"x" * 60_000)  # type: ignore[attr-defined]

    async with served(handler) as server, peer(server, limit=1) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2000)
        await asyncio.sleep(0.2)
        assert served_count < 500
        before = served_count
        await client.reader.readexactly(10_000_000)
        await until(lambda: served_count > before)


@on_both_loops
async def test_a_reply_reaches_a_client_that_is_still_sending() -> None:
    async with served(Seen()) as server:
        for path in (b"/deaf", b"/echo"):
            # A socket that blocks, as most clients have: it reads when it has sent all.
            def talk(path: bytes = path) -> bytes:
                with socket.create_connection(server.address) as line:
                    line.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" % path)
                    for _ in range(80):
                        line.sendall(b"x" * 100_000)
                    return line.recv(100)

            reply = await asyncio.to_thread(talk)
            assert reply.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 413 ")), reply


def _stalled() -> float:
    return REGISTRY.get_sample_value("nexus_http_server_stalled_total") or 0


def _held(server: HttpServer) -> int:
    hub = server._hub
    assert hub is not None
    return hub.held_bytes


async def _is_empty(server: HttpServer) -> None:
    hub = server._hub
    assert hub is not None
    await until(lambda: not hub.connections and not hub.at_work)
    assert hub.held_bytes == 0
    assert not hub.departures._watched
