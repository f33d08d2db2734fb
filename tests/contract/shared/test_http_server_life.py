"""How the HTTP server begins and ends."""

from __future__ import annotations

import asyncio
import socket

import pytest

from shared.errors import NexusError, PreconditionFailed
from shared.http_server.limits import Limits
from shared.http_server.server import HttpServer
from tests.http_server_rig import Seen, peer, refuse, served, until
from tests.router_http import on_both_loops

GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


def _server() -> HttpServer:
    return HttpServer(Seen(), Limits(), refuse)


@on_both_loops
async def test_two_servers_never_share_a_port_by_chance() -> None:
    async with served(Seen()) as server:
        for reuse_port in (False, True):
            with pytest.raises(PreconditionFailed, match="ADDRESS_TAKEN"):
                await _server().start(server.address, reuse_port=reuse_port)
    again = _server()
    await again.start(server.address)
    await again.stop(0)


@on_both_loops
async def test_servers_that_say_so_share_one() -> None:
    one, two, three = _server(), _server(), _server()
    await one.start(("127.0.0.1", 0), reuse_port=True)
    await two.start(one.address, reuse_port=True)
    with pytest.raises(PreconditionFailed, match="ADDRESS_TAKEN"):
        await three.start(one.address)
    assert one.address == two.address
    await one.stop(0)
    async with peer(two) as client:
        client.send(GET % b"/")
        assert (await client.answer()).status == 200
    await two.stop(0)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.name.invalid"])
@on_both_loops
async def test_an_address_of_others_is_refused(host: str) -> None:
    with pytest.raises(PreconditionFailed, match="ADDRESS_TAKEN"):
        await _server().start((host, 0))


@on_both_loops
async def test_it_listens_on_sockets_that_it_is_given() -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [bound.getsockname()[1] for bound in sockets]
    server = _server()
    await server.start(sockets)
    assert server.address == ("127.0.0.1", ports[0])
    for port in ports:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET % b"/")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
    await server.stop(0)


@on_both_loops
async def test_it_ends_when_the_requests_in_flight_have_ended() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as idle, peer(server) as client, peer(server) as streaming:
        idle.send(GET % b"/")
        assert (await idle.answer()).status == 200
        client.send(GET % b"/wait")
        streaming.send(GET % b"/stream")
        await until(lambda: seen.at_work == 2)
        stopping = asyncio.ensure_future(server.stop(60))
        assert await idle.is_closed()
        with pytest.raises(ConnectionError):
            async with peer(server):
                pass
        assert not stopping.done()
        seen.released.set()
        answer = await client.answer()
        assert (answer.body, answer.headers["connection"]) == (b"at last", "close")
        assert (await streaming.answer()).body.endswith(b"last")
        client.writer.close()
        streaming.writer.close()
        idle.writer.close()
        async with asyncio.timeout(10):
            await stopping
        assert seen.cancelled == 0


@on_both_loops
async def test_a_client_is_refused_even_where_the_words_for_it_fail() -> None:
    def speechless(_: NexusError) -> tuple[int, list[tuple[str, str]], bytes]:
        raise RuntimeError("no words")

    server = HttpServer(Seen(), Limits(), speechless)
    await server.start(("127.0.0.1", 0))
    async with peer(server) as client, peer(server) as other:
        client.send(b"nonsense\r\n\r\n")
        other.send(GET % b"/crash")
        assert [(await refused.answer()).status for refused in (client, other)] == [500, 500]
    await server.stop(0)


@on_both_loops
async def test_who_is_not_done_in_time_may_still_end_the_reply() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client, peer(server) as leaver:
        for each in (client, leaver):
            each.send(GET % b"/polite")
            await each.reader.readuntil(b"first")
        leaver.writer.close()
        await until(lambda: seen.cancelled == 1)
        stopping = asyncio.ensure_future(server.stop(0.05))
        assert (await client.reader.read()).endswith(b"8\r\nwe close\r\n0\r\n\r\n")
        async with asyncio.timeout(10):
            await stopping
        assert (seen.cancelled, seen.at_work) == (2, 0)


@on_both_loops
async def test_what_takes_too_long_is_cut() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client, peer(server) as streaming:
        client.send(GET % b"/think")
        streaming.send(GET % b"/stream")
        await until(lambda: seen.at_work == 2)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await server.stop(0.1)
        assert loop.time() - begun > 0.09
        assert (seen.cancelled, seen.at_work) == (2, 0)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await streaming.answer()
        await server.stop(0.1)
