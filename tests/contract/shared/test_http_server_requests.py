"""Requests and replies of the HTTP server as clients see them, over real sockets and in raw bytes."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.http_server.exchange import Reply, Request
from tests.http_server_rig import TEXT, Seen, peer, served, until
from tests.router_http import on_both_loops

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /echo?q=1 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;name=value\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: passed over\r\n\r\n"
)
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


@on_both_loops
async def test_a_handler_sees_what_came() -> None:
    async with served(Seen()) as server, peer(server) as client:
        client.send(
            b"PUT /v1/a%20b%C3%A9/%2F?x=%20&y HTTP/1.1\r\nHost: x:80\r\nX-MANY:  a \t\r\nx-many: b\r\n"
            b"X-Odd: \xe9\r\nContent-Length: 2\r\n\r\nhi"
        )
        answer = await client.answer()
        assert answer.json == {
            "method": "PUT",
            "path": "/v1/a bé//",
            "query": "x=%20&y",
            "headers": {"host": "x:80", "x-many": "a, b", "x-odd": "é", "content-length": "2"},
            "body": "hi",
        }
        assert set(answer.headers) == {"date", "content-type", "content-length"}


@on_both_loops
async def test_a_kept_connection_carries_one_request_after_the_other() -> None:
    async with served(Seen()) as server, peer(server) as client:
        for path in (b"/one", b"/two", b"/three"):
            client.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
            assert (await client.answer()).json["path"] == path.decode()


@on_both_loops
async def test_requests_that_come_at_once_are_answered_one_at_a_time_in_their_order() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(b"GET /think HTTP/1.1\r\nHost: x\r\n\r\n" + POST + CHUNKED + NEXT)
        await seen.asked.wait()
        await asyncio.sleep(0.02)
        assert seen.paths == ["/think"]
        seen.released.set()
        assert (await client.answer()).body == b"at last"
        assert (await client.answer()).json["body"] == "hello"
        assert (await client.answer()).json["body"] == "hello"
        assert (await client.answer()).json["path"] == "/next"


@pytest.mark.parametrize("request_bytes", [POST, CHUNKED], ids=["measured", "chunked"])
@on_both_loops
async def test_a_request_is_the_same_wherever_it_is_split(request_bytes: bytes) -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        for at in range(1, len(request_bytes)):
            client.send(request_bytes[:at])
            await asyncio.sleep(0)
            client.send(request_bytes[at:])
            assert (await client.answer()).json["body"] == "hello"
        assert seen.bodies == [b"hello"] * (len(request_bytes) - 1)


@given(st.lists(st.integers(1, len(POST + CHUNKED + NEXT) - 1), max_size=12).map(sorted))
@settings(max_examples=25)
def test_requests_in_a_row_are_the_same_in_any_pieces(cuts: Sequence[int]) -> None:
    async def tried() -> None:
        data = POST + CHUNKED + NEXT
        async with served(Seen()) as server, peer(server) as client:
            for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                client.send(data[begin:end])
                await asyncio.sleep(0.0002)
            assert [(await client.answer()).json["body"] for _ in range(3)] == ["hello", "hello", ""]

    asyncio.run(tried())


@on_both_loops
async def test_a_body_in_bytes_of_one_arrives_whole() -> None:
    async with served(Seen()) as server, peer(server) as client:
        for byte in POST + CHUNKED:
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert [(await client.answer()).json["body"] for _ in range(2)] == ["hello", "hello"]


@on_both_loops
async def test_who_asks_to_close_gets_a_close() -> None:
    async with served(Seen()) as server, peer(server) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, Close\r\n\r\n" + NEXT)
        assert (await client.answer()).headers["connection"] == "close"
        assert await client.is_closed()


@on_both_loops
async def test_an_old_client_gets_a_close_and_no_chunks() -> None:
    seen = Seen()
    seen.released.set()
    async with served(seen) as server, peer(server) as client:
        client.send(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = await client.answer()
        assert (answer.headers["connection"], answer.body) == ("close", b"firstlast")
        assert "transfer-encoding" not in answer.headers


@on_both_loops
async def test_a_head_has_no_body() -> None:
    seen = Seen()
    seen.released.set()
    async with served(seen) as server, peer(server) as client:
        client.send(b"HEAD /deaf HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT)
        assert (await client.answer(has_body=False)).headers["content-length"] == "11"
        assert (await client.answer(has_body=False)).headers["transfer-encoding"] == "chunked"
        assert (await client.answer()).json["path"] == "/next"


@pytest.mark.parametrize("status", [204, 304])
@on_both_loops
async def test_a_status_without_a_body_has_none(status: int) -> None:
    async def handler(_: Request, reply: Reply) -> None:
        reply.send(status, [], b"never sent")

    async with served(handler) as server, peer(server) as client:
        client.send(GET + GET)
        for _ in range(2):
            answer = await client.answer(has_body=False)
            assert (answer.status, "content-length" in answer.headers) == (status, False)


@on_both_loops
async def test_a_client_that_waits_is_told_to_go_on_when_the_body_is_asked_for() -> None:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
    async with served(Seen()) as server, peer(server) as client, peer(server) as other:
        client.send(head % b"/echo")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello")
        assert (await client.answer()).json["body"] == "hello"
        # It is not, where nobody wants the body; who sends it nevertheless must not have it taken for a request.
        other.send(head % b"/deaf")
        answer = await other.answer()
        assert (answer.status, answer.is_continued, answer.headers["connection"]) == (401, False, "close")
        assert await other.is_closed()


@on_both_loops
async def test_a_stream_is_in_chunks_of_one_write_each() -> None:
    async def handler(_: Request, reply: Reply) -> None:
        reply.begin(200, TEXT, b"one")
        reply.write(b"")
        reply.write(b"two")
        assert reply.has_begun
        reply.end(b"three")

    async with served(handler) as server, peer(server) as client:
        client.send(GET)
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked\r\n" in head
        whole = b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
        assert await client.reader.readexactly(len(whole)) == whole


@on_both_loops
async def test_a_large_reply_is_whole() -> None:
    async def handler(_: Request, reply: Reply) -> None:
        reply.send(200, TEXT, b"x" * 5_000_000)

    async with served(handler) as server, peer(server) as client:
        client.send(GET + GET)
        for _ in range(2):
            assert (await client.answer()).body == b"x" * 5_000_000


WRONG: dict[str, Callable[[Reply], None]] = {
    "a value with a line end": lambda reply: reply.send(200, [("x", "a\r\nSet-Cookie: b")], b""),
    "a value with LF": lambda reply: reply.begin(200, [("x", "a\nb")]),
    "a value with CR": lambda reply: reply.send(200, [("x", "a\rb")], b""),
    "a value with NUL": lambda reply: reply.send(200, [("x", "a\0b")], b""),
    "a value outside of Latin-1": lambda reply: reply.send(200, [("x", "\u4e2d")], b""),
    "a name with a colon": lambda reply: reply.send(200, [("x: y", "a")], b""),
    "an empty name": lambda reply: reply.send(200, [("", "a")], b""),
    "a length of its own": lambda reply: reply.send(200, [("Content-length", "5")], b""),
    "a coding of its own": lambda reply: reply.begin(200, [("transfer-encoding", "chunked")]),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@on_both_loops
async def test_a_reply_cannot_be_split(wrong: Callable[[Reply], None]) -> None:
    async def handler(_: Request, reply: Reply) -> None:
        with pytest.raises(ValueError, match=r"header|encode"):
            wrong(reply)
        reply.send(200, TEXT, b"fine")

    async with served(handler) as server, peer(server) as client:
        client.send(GET + GET)
        for _ in range(2):
            assert (await client.answer()).body == b"fine"


@on_both_loops
async def test_a_reply_is_sent_once_and_in_order() -> None:
    kept: list[Reply] = []

    async def handler(_: Request, reply: Reply) -> None:
        kept.append(reply)
        with pytest.raises(RuntimeError):
            reply.write(b"too soon")
        with pytest.raises(RuntimeError):
            reply.end()
        reply.send(200, TEXT, b"once")
        with pytest.raises(RuntimeError):
            reply.send(200, TEXT, b"twice")

    async with served(handler) as server, peer(server) as client:
        client.send(GET)
        assert (await client.answer()).body == b"once"
        client.send(GET)
        assert (await client.answer()).body == b"once"
        # A reply that is kept for too long has no hold on the request that is on its connection by now.
        for late in (lambda: kept[0].write(b"late"), kept[0].end, lambda: kept[0].begin(200, [])):
            with pytest.raises(RuntimeError):
                late()
        kept[0].abort()
        client.send(GET)
        assert (await client.answer()).body == b"once"


@on_both_loops
async def test_a_handler_that_fails_is_an_error_without_its_words() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client, peer(server) as other, peer(server) as third:
        client.send(b"GET /crash HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.body, answer.headers["connection"]) == (500, b"INTERNAL", "close")
        assert await client.is_closed()
        for path, unlucky in ((b"/half", other), (b"/gave_up", third)):
            unlucky.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await unlucky.answer()
        # Whoever cuts a reply goes on with what else there is to do.
        await until(lambda: seen.settled)
        assert seen.cancelled == 0


@on_both_loops
async def test_even_an_old_client_takes_no_half_for_the_whole() -> None:
    async with served(Seen()) as server, peer(server) as client:
        client.send(b"GET /gave_up HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionError):
            await client.answer()


@on_both_loops
async def test_nothing_of_one_request_leaks_into_the_next() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    async def handler(request: Request, reply: Reply) -> None:
        reply.send(200, TEXT, who.get().encode())
        who.set(request.path)

    async with served(handler) as server, peer(server) as client:
        client.send(GET + GET + GET)
        assert [(await client.answer()).body for _ in range(3)] == [b"nobody"] * 3


@on_both_loops
async def test_the_next_request_does_not_wait_for_what_is_done_after_a_reply() -> None:
    seen = Seen()
    async with served(seen) as server:
        async with peer(server) as client:
            client.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT)
            assert (await client.answer()).body == b"now"
            assert orjson.loads((await client.answer()).body)["path"] == "/next"
            assert seen.at_work == 1
        # Nor does the client's end stop it, nor that of the server if there is time.
        stopping = asyncio.ensure_future(server.stop(5))
        await asyncio.sleep(0.01)
        seen.released.set()
        await stopping
        assert (seen.settled, seen.cancelled) == (1, 0)


@on_both_loops
async def test_many_connections_at_once() -> None:
    async with served(Seen()) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(peer(server)) for _ in range(100)]
        for client in clients:
            client.send(POST)
        assert {(await client.answer()).status for client in clients} == {200}
