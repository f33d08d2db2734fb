"""What two programs might read differently is refused by the HTTP server: no request hides in another."""

from __future__ import annotations

import pytest

from tests.http_server_rig import Seen, peer, served
from tests.router_http import on_both_loops

LINE = b"POST / HTTP/1.1\r\n"
HOST = LINE + b"Host: x\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = HOST + b"Transfer-Encoding: chunked\r\n\r\n"

HEADS = {
    # Its length, told in two ways or in none.
    "a length and chunks": HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "two lengths": HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "one length twice": HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": HOST + b"Content-Length: 5, 5\r\n\r\n",
    "a length with a sign": HOST + b"Content-Length: +5\r\n\r\n",
    "a negative length": HOST + b"Content-Length: -5\r\n\r\n",
    "a hexadecimal length": HOST + b"Content-Length: 0x5\r\n\r\n",
    "a length with an underscore": HOST + b"Content-Length: 1_0\r\n\r\n",
    "a length with a space": HOST + b"Content-Length: 1 0\r\n\r\n",
    "a length beyond counting": HOST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "an empty length": HOST + b"Content-Length:\r\n\r\n",
    "a length in other digits": HOST + b"Content-Length: \xb2\r\n\r\n",
    "two codings": HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked twice": HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked, chunked": HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "not chunked at the end": HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n",
    "identity": HOST + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding nobody knows": HOST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "a coding with parameters": HOST + b"Transfer-Encoding: chunked;q=1\r\n\r\n",
    "a quoted coding": HOST + b'Transfer-Encoding: "chunked"\r\n\r\n',
    "a coding behind a control character": HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n",
    "an empty coding": HOST + b"Transfer-Encoding:\r\n\r\n",
    "chunks of an old client": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    # Lines.
    "a folded line": HOST + b"A: b\r\n c\r\n\r\n",
    "a line folded by a tab": HOST + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n",
    "a folded first line": LINE + b" Host: x\r\n\r\n",
    "lines that end with LF": b"POST / HTTP/1.1\nHost: x\n\n" + HIDDEN,
    "one line that ends with LF": HOST + b"A: b\nC: d\r\n\r\n",
    "a bare CR": HOST + b"A: b\rTransfer-Encoding: chunked\r\n\r\n",
    "a CR too many": HOST + b"A: b\r\r\n\r\n",
    "an empty line before": b"\r\n" + HOST + b"\r\n",
    "empty lines before": b"\r\n\r\n" + HOST + b"\r\n",
    # Names and values.
    "a space before the colon": HOST + b"Content-Length : 5\r\n\r\n",
    "a tab before the colon": HOST + b"A\t: b\r\n\r\n",
    "no colon": HOST + b"Content-Length\r\n\r\n",
    "no name": HOST + b": b\r\n\r\n",
    "a name with a bracket": HOST + b"A(b): c\r\n\r\n",
    "a name outside of ASCII": HOST + b"X-\xe2\x84\xaa: c\r\n\r\n",
    "NUL in a value": HOST + b"A: b\0c\r\n\r\n",
    "a control character in a value": HOST + b"A: b\x01c\r\n\r\n",
    "DEL in a value": HOST + b"A: b\x7fc\r\n\r\n",
    # What may stand only once.
    "two keys": HOST + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
    "two other keys": HOST + b"X-Api-Key: a\r\nx-api-key: a\r\n\r\n",
    "two types": HOST + b"Content-Type: text/plain\r\nContent-Type: application/json\r\n\r\n",
    "two hosts": HOST + b"Host: y\r\n\r\n",
    "no host": LINE + b"\r\n",
    "an empty host": LINE + b"Host:\r\n\r\n",
    "a list of hosts": LINE + b"Host: x, y\r\n\r\n",
    "a host with a path": LINE + b"Host: x/y\r\n\r\n",
    "a host with a user": LINE + b"Host: x@y\r\n\r\n",
    # The request line.
    "a whole address": b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel to a path": b"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the path": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces before the path": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces behind the path": b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab in the path": b"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the path": b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL escaped in the path": b"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a line end escaped in the path": b"GET /a%0d%0ab HTTP/1.1\r\nHost: x\r\n\r\n",
    "half an escape in the path": b"GET /a%2 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no escape in the path": b"GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "no UTF-8 in the path": b"GET /a%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path outside of ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query outside of ASCII": b"GET /?\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method nobody knows": b"STEAL / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in lower case": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space before the method": b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab behind the method": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space behind the version": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.11": b"GET / HTTP/1.11\r\nHost: x\r\n\r\n",
    "http/1.1": b"GET / http/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2 from the start": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "RTSP": b"DESCRIBE / RTSP/1.0\r\nHost: x\r\n\r\n",
    "ICE": b"SOURCE / ICE/1.0\r\nHost: x\r\n\r\n",
    "a reply": b"HTTP/1.1 200 OK\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}

BODIES = {
    "no size": b"\r\n",
    "a size that is none": b"xyz\r\n",
    "a size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with an underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "a size beyond counting": b"fffffffff\r\nhello",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a space before the extension": b"5 ;a\r\nhello\r\n0\r\n\r\n",
    "a size that ends with LF": b"5\nhello\r\n0\r\n\r\n",
    "a size with a bare CR": b"5\r;a\r\nhello\r\n0\r\n\r\n",
    "an extension with NUL": b"5;a\0\r\nhello\r\n0\r\n\r\n",
    "a chunk that is too long": b"5\r\nhello!\r\n0\r\n\r\n",
    "a chunk that is too short": b"6\r\nhello\r\n0\r\n\r\n",
    "a chunk that ends with LF": b"5\r\nhello\n0\r\n\r\n",
    "an endless extension": b"5;" + b"a" * 10_000,
    "an endless size": b"0" * 10_000,
    "a trailer that ends with LF": b"0\r\nA: b\n\r\n",
    "an endless trailer": b"0\r\nA: " + b"b" * 10_000,
    "endless trailers": b"0\r\n" + b"A: b\r\n" * 10_000,
    "a trailer with a bare CR": b"0\r\nA: b\rC: d\r\n\r\n",
    "crumbs": b"1\r\na\r\n" * 10_001 + b"0\r\n\r\n",
}

PASSED = {
    "an offer of HTTP/2": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n",
    "an offer of web sockets": b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    "a tab before the value": b"A:\tb\r\n",
    "no value": b"A:\r\n",
    "chunked in upper case": b"Transfer-Encoding: CHUNKED\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@on_both_loops
async def test_a_head_that_is_unclear_is_refused_and_ends_the_connection(head: bytes) -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(head + HIDDEN)
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"REQUEST_MALFORMED")
        assert answer.headers["connection"] == "close"
        assert await client.is_closed()
        assert not seen.paths


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@on_both_loops
async def test_a_body_that_is_unclear_is_refused_and_ends_the_connection(body: bytes) -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(CHUNKED + body + HIDDEN)
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"REQUEST_MALFORMED")
        assert answer.headers["connection"] == "close"
        assert await client.is_closed()
        assert "/hidden" not in seen.paths
        assert not seen.bodies


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@on_both_loops
async def test_so_it_is_where_the_body_comes_later(body: bytes) -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(CHUNKED)
        await seen.asked.wait()
        client.send(body + HIDDEN)
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"REQUEST_MALFORMED")
        assert await client.is_closed()
        assert "/hidden" not in seen.paths


@pytest.mark.parametrize("fields", PASSED.values(), ids=PASSED)
@on_both_loops
async def test_what_is_odd_and_clear_is_an_ordinary_request(fields: bytes) -> None:
    async with served(Seen()) as server, peer(server) as client:
        is_chunked = b"CHUNKED" in fields
        body = b"5\r\nhello\r\n0\r\n\r\n" if is_chunked else b"hello"
        client.send(HOST + fields + (b"" if is_chunked else b"Content-Length: 5\r\n") + b"\r\n" + body)
        assert (await client.answer()).json["body"] == "hello"
        client.send(b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await client.answer()).json["path"] == "/next"


@on_both_loops
async def test_a_body_that_looks_like_a_request_is_a_body() -> None:
    seen = Seen()
    async with served(seen) as server, peer(server) as client:
        client.send(HOST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN + CHUNKED + b"5\r\nhello\r\n0\r\n\r\n")
        assert (await client.answer()).json["body"] == HIDDEN.decode()
        assert (await client.answer()).json["body"] == "hello"
        assert seen.paths == ["/", "/"]
