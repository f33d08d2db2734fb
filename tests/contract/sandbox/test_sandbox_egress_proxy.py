"""The proxy of one sandbox over real sockets; the sandbox's own end is in tests/security."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
import uvloop
from egress_rig import LIMITS, PUBLIC, echo, rig

from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.egress.proxy import EgressProxy
from sandbox_service.domain.egress import EgressGrant, EgressLimits, Reached


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def get(url: str, *fields: str, body: bytes = b"", method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {url} HTTP/1.1", *fields, "", "")).encode() + body


class Origin:
    """An HTTP server that keeps what it was sent, byte for byte, and answers each connection once."""

    def __init__(self, body_bytes: int = 0) -> None:
        self.body_bytes = body_bytes
        self.sent = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sent = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(self.body_bytes)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        # What would come after the one request that was granted.
        try:
            async with asyncio.timeout(0.05):
                self.sent += await reader.read(1 << 16)
        except TimeoutError:
            pass
        writer.close()


def talks(run: Callable[[], object]) -> None:
    """Run on both event loops: the service's, and the library's."""
    for factory in (uvloop.new_event_loop, asyncio.new_event_loop):
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(run())  # type: ignore[arg-type]


def test_a_tunnel_passes_bytes_both_ways_and_each_end_may_close_first() -> None:
    async def talk() -> None:
        async with rig() as made:
            reader, writer = await made.tunnel("API.Example.com.:443")
            writer.write(b"x" * 300_000)
            writer.write_eof()
            assert await reader.read() == b"x" * 300_000
            writer.close()
            assert made.connected == [(PUBLIC, 443)]
            report = await made.proxy.stop()
            assert report.reached == (Reached("api.example.com:443", 1, 300_000, 300_000),)
            assert report.refused == {}

    talks(talk)


def test_a_request_in_plain_http_reaches_its_host_and_is_counted() -> None:
    async def talk() -> None:
        origin = Origin(body_bytes=3)
        async with rig(origin) as made:
            sent = get(
                "http://api.example.com/a?b=c", "Host: evil.test", "Content-Length: 3", body=b"abc", method="POST"
            )
            assert (await made.ask(sent)).endswith(b"\r\n\r\nhi")
            head, _, body = origin.sent.partition(b"\r\n\r\n")
            assert head.split(b"\r\n") == [
                b"POST /a?b=c HTTP/1.1",
                b"Host: api.example.com",
                b"Connection: close",
                b"content-length: 3",
            ]
            assert body == b"abc"
            assert [r.target for r in (await made.proxy.stop()).reached] == ["api.example.com:80"]

    talks(talk)


@pytest.mark.parametrize(
    "target",
    ["example.com:443", "api.example.com:22", "evil.test:443", "api.example.com.evil.test:443", PUBLIC + ":443"],
)
async def test_what_was_not_granted_is_refused_before_anything_is_looked_up(target: str) -> None:
    async with rig() as made:
        reply = await made.ask(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
        assert reply.startswith(b"HTTP/1.1 403 ")
        assert f"EGRESS_REFUSED: {target} is not".encode() in reply
        assert (made.looked_up, made.connected) == ([], [])
        assert (await made.proxy.stop()).refused == {"target": 1}


@pytest.mark.parametrize("name", ["meta", "own", "lan", "mapped"])
async def test_a_name_that_leads_inside_is_refused(name: str) -> None:
    async with rig() as made:
        for sent in (f"CONNECT {name}.example.com:443 HTTP/1.1\r\n\r\n".encode(), get(f"http://{name}.example.com/")):
            assert await made.status(sent) == 403
        assert made.connected == []
        assert (await made.proxy.stop()).refused == {"address": 2}


async def test_of_many_addresses_only_public_ones_are_tried_and_a_name_is_looked_up_once() -> None:
    async with rig() as made:
        reader, writer = await made.tunnel("mixed.example.com:443")
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        writer.close()
        assert (made.looked_up, made.connected) == (["mixed.example.com"], [(PUBLIC, 443)])


async def test_an_address_is_reached_where_it_is_listed_and_metadata_never() -> None:
    async with rig(echo, LIMITS, "10.0.0.5:5000", "169.254.169.254:80", "[fd00:ec2::254]:80") as made:
        _, writer = await made.tunnel("10.0.0.5:5000")
        writer.close()
        assert await made.status(b"CONNECT 10.0.0.5:5001 HTTP/1.1\r\n\r\n") == 403
        assert await made.status(get("http://169.254.169.254/latest")) == 403
        assert await made.status(get("http://[fd00:ec2::254]/latest")) == 403
        assert made.connected == [("10.0.0.5", 5000)]


async def test_a_name_that_nobody_knows_and_a_host_that_does_not_answer_are_said() -> None:
    async with rig() as made:
        assert b"cannot be looked up" in await made.ask(b"CONNECT unknown.example.com:443 HTTP/1.1\r\n\r\n")
        made.server_port = 1
        assert await made.status(b"CONNECT api.example.com:443 HTTP/1.1\r\n\r\n") == 502
        assert (await made.proxy.stop()).refused == {"lookup": 1, "unreachable": 1}


async def test_nothing_can_be_smuggled_behind_a_request() -> None:
    origin = Origin(body_bytes=4)
    async with rig(origin) as made:
        second = get("http://other.test/secret", "Host: other.test")
        sent = get("http://api.example.com/", "Content-Length: 4", "Connection: content-length, x-a", "X-A: 1")
        assert await made.status(sent + b"abcd" + second) == 200
        assert origin.sent.endswith(b"content-length: 4\r\n\r\nabcd")
        assert b"other.test" not in origin.sent
        assert b"x-a" not in origin.sent


async def test_a_tunnel_to_another_tls_name_is_cut() -> None:
    hello, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(hello, sent, server_hostname="hidden.example.com").do_handshake()
    greeting = sent.read()
    async with rig() as made:
        reader, writer = await made.tunnel("api.example.com:443")
        for at in range(0, len(greeting), 40):
            writer.write(greeting[at : at + 40])
        assert await reader.read() == bytes((21, 3, 3, 0, 2, 2, 112))
        writer.close()
        report = await made.proxy.stop()
        assert report.refused == {"server_name": 1}
        assert report.reached[0].sent_bytes == 0


async def test_a_tunnel_to_the_same_tls_name_holds() -> None:
    hello, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(hello, sent, server_hostname="api.example.com").do_handshake()
    greeting = sent.read()
    async with rig() as made:
        reader, writer = await made.tunnel("api.example.com:443")
        writer.write(greeting[:7])
        writer.write(greeting[7:])
        assert await reader.readexactly(len(greeting)) == greeting
        writer.close()


async def test_tls_is_between_the_program_and_its_target() -> None:
    authority = trustme.CA()
    served, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("api.example.com").configure_cert(served)
    authority.configure_trust(trusted)

    async def secret(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(served)
        writer.write(b"for you alone")
        await writer.drain()
        await reader.read()
        writer.close()

    async with rig(secret) as made:
        reader, writer = await made.tunnel("api.example.com:443")
        await writer.start_tls(trusted, server_hostname="api.example.com")
        assert await reader.readexactly(13) == b"for you alone"
        writer.close()
        await writer.wait_closed()


async def test_a_head_that_does_not_end_is_refused_by_size_and_by_time() -> None:
    async with rig(limits=replace(LIMITS, request_s=0.05)) as made:
        assert await made.status(get("http://api.example.com/", *(f"X-{n}: {'y' * 500}" for n in range(99)))) == 431
        assert await made.status(b"CONNECT api.example.com:443 HTTP/1.1\r\nX: ") == 408
        assert await made.status(b"") == 408
        assert (await made.proxy.stop()).refused == {"head_size": 1, "slow": 2}


async def test_a_silent_tunnel_ends() -> None:
    async with rig(limits=replace(LIMITS, idle_s=0.05)) as made:
        reader, writer = await made.tunnel("api.example.com:443")
        assert await reader.read() == b""
        writer.close()


async def test_a_body_that_does_not_come_and_a_client_that_leaves_hold_nothing() -> None:
    async with rig(limits=replace(LIMITS, connections=1)) as made:
        reader, writer = await asyncio.open_connection(*made.door)
        writer.write(get("http://api.example.com/", "Content-Length: 9", body=b"abc"))
        writer.write_eof()
        await reader.read()
        writer.close()
        _, again = await made.tunnel("api.example.com:443")
        again.close()


async def test_connections_beyond_the_limit_wait_their_turn() -> None:
    async with rig(limits=replace(LIMITS, connections=2)) as made:
        held = [await made.tunnel("api.example.com:443") for _ in range(2)]
        third = asyncio.create_task(made.tunnel("api.example.com:443"))
        await asyncio.wait([third], timeout=0.03)
        assert not third.done()
        held[0][1].write_eof()
        _, writer = await third
        for each in (*(writer for _, writer in held), writer):
            each.close()


@pytest.mark.parametrize("limits", [replace(LIMITS, sent_bytes=100_000), replace(LIMITS, received_bytes=100_000)])
async def test_a_budget_that_is_spent_cuts_the_connection(limits: EgressLimits) -> None:
    async with rig(limits=limits) as made:
        reader, writer = await made.tunnel("api.example.com:443")
        writer.write(b"x" * 400_000)
        received = 0
        try:
            while piece := await reader.read(1 << 16):
                received += len(piece)
        except ConnectionError:
            pass
        writer.close()
        report = await made.proxy.stop()
        assert report.refused == {"bytes": 1}
        assert received <= 100_000
        assert max(report.reached[0].sent_bytes - limits.sent_bytes, 0) == 0
        assert report.reached[0].received_bytes <= limits.received_bytes


async def test_the_end_of_the_sandbox_cuts_everything_and_closes_the_door() -> None:
    before = open_descriptors()
    async with rig() as made:
        reader, writer = await made.tunnel("api.example.com:443")
        await made.proxy.stop()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*made.door)
    await asyncio.sleep(0)
    assert open_descriptors() <= before


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_what_is_no_door_is_closed(family: socket.AddressFamily, kind: socket.SocketKind) -> None:
    dialler = EgressDialler()
    proxy = EgressProxy(EgressGrant(), LIMITS, dialler)
    door_fd = socket.socket(family, kind).detach()
    with pytest.raises(ValueError, match="not a listening"):
        proxy.start(door_fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(door_fd)
    assert (await proxy.stop()).reached == ()
    assert (await proxy.stop()).reached == ()
    dialler.close()
