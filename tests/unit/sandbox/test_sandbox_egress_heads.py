from __future__ import annotations

import ssl
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.adapters.egress.client_hello import IncompleteError, server_name_of
from sandbox_service.adapters.egress.request_head import Forward, RefusedError, Tunnel, request_of
from sandbox_service.adapters.egress.traffic import CutError, Traffic
from sandbox_service.domain.egress import EgressLimits


def head(first: str, *fields: str) -> bytes:
    return "\r\n".join((first, *fields, "", "")).encode("latin-1")


@cache
def hello(name: str | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize(
    ("first", "host", "port"),
    [
        ("CONNECT api.example.com:443 HTTP/1.1", "api.example.com", 443),
        ("CONNECT API.example.com.:8443 HTTP/1.0", "api.example.com", 8443),
        ("CONNECT [::1]:443 HTTP/1.1", "::1", 443),
    ],
)
def test_a_tunnel_is_asked_for_by_host_and_port(first: str, host: str, port: int) -> None:
    assert request_of(head(first, "Host: other.test", "Content-Length: 0")) == Tunnel(host, port)


@pytest.mark.parametrize(
    ("url", "line", "own"),
    [
        ("http://a.example.com", b"GET / HTTP/1.1", b"Host: a.example.com"),
        ("http://a.example.com:80/x", b"GET /x HTTP/1.1", b"Host: a.example.com"),
        ("HTTP://A.example.com.:8080?q=/", b"GET /?q=/ HTTP/1.1", b"Host: a.example.com:8080"),
        ("http://[2001:db8::1]:81/", b"GET / HTTP/1.1", b"Host: [2001:db8::1]:81"),
        ("http://a.example.com/http://b.test/", b"GET /http://b.test/ HTTP/1.1", b"Host: a.example.com"),
    ],
)
def test_a_plain_request_gets_the_host_of_its_target(url: str, line: bytes, own: bytes) -> None:
    asked = request_of(head(f"GET {url} HTTP/1.1", "Host: evil.test", "Proxy-Authorization: x", "TE: trailers", "A: b"))
    assert isinstance(asked, Forward)
    assert asked.head.split(b"\r\n") == [line, own, b"Connection: close", b"a: b", b"", b""]


@pytest.mark.parametrize(
    ("status", "first", "fields"),
    [
        (400, "GET / HTTP/1.1", ["Host: a.example.com"]),
        (400, "GET https://a.example.com/ HTTP/1.1", []),
        (400, "GET http://u:p@a.example.com/ HTTP/1.1", []),
        (400, "GET http://a.example.com:/ HTTP/1.1", []),
        (400, "GET http://a.example.com/#f HTTP/1.1", []),
        (400, "GET http:///x HTTP/1.1", []),
        (400, "GET http://2130706433/ HTTP/1.1", []),
        (400, "GET http://localhost/ HTTP/1.1", []),
        (400, "GET  http://a.example.com/ HTTP/1.1", []),
        (400, "GET http://a.example.com/ HTTP/2.0", []),
        (400, "GET http://a.example.com/ HTTP/1.1\nX: y", []),
        (400, "CONNECT a.example.com HTTP/1.1", []),
        (400, "CONNECT http://a.example.com:443 HTTP/1.1", []),
        (400, "CONNECT a.example.com:443 HTTP/1.1", ["Content-Length: 3"]),
        (405, "TRACE http://a.example.com/ HTTP/1.1", []),
        (411, "POST http://a.example.com/ HTTP/1.1", ["Transfer-Encoding: chunked"]),
        (411, "POST http://a.example.com/ HTTP/1.1", ["Content-Length: 3", "transfer-encoding: x"]),
        (400, "POST http://a.example.com/ HTTP/1.1", ["Content-Length: 3", "Content-Length: 3"]),
        (400, "POST http://a.example.com/ HTTP/1.1", ["Content-Length: +3"]),
        (400, "POST http://a.example.com/ HTTP/1.1", ["Content-Length: 3, 3"]),
        (400, "POST http://a.example.com/ HTTP/1.1", ["Content-Length: 1000000000000000"]),
        (400, "POST http://a.example.com/ HTTP/1.1", ["Content-Length : 3"]),
        (400, "GET http://a.example.com/ HTTP/1.1", ["X: y", " folded"]),
        (400, "GET http://a.example.com/ HTTP/1.1", ["X: a\rTransfer-Encoding: chunked"]),
        (400, "GET http://a.example.com/ HTTP/1.1", ["X: a\nHost: b.test"]),
        (400, "GET http://a.example.com/ HTTP/1.1", ["X: a\0"]),
        (400, "GET http://a.example.com/ HTTP/1.1", ["nonsense"]),
        (400, "GET http://a.example.com/ HTTP/1.1", ["X: y"] * 101),
    ],
)
def test_what_is_malformed_or_ambiguous_is_refused(status: int, first: str, fields: list[str]) -> None:
    with pytest.raises(RefusedError) as caught:
        request_of(head(first, *fields))
    assert caught.value.status == status


@given(st.binary(max_size=200), st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_is_sent_one_head_goes_on_or_none(first: bytes, fields: list[bytes]) -> None:
    for line in (first, b"GET http://a.example.com/" + first + b" HTTP/1.1"):
        try:
            asked = request_of(b"\r\n".join((line, *fields, b"", b"")))
        except RefusedError:
            continue
        assert isinstance(asked, Tunnel) or asked.head.count(b"\r\n\r\n") == 1
        assert isinstance(asked, Tunnel) or asked.head.lower().count(b"\r\nhost:") == 1


@pytest.mark.parametrize(("name", "said"), [("Api.Example.com", "api.example.com"), (None, "")])
def test_the_name_of_a_real_greeting_is_found_however_it_is_cut_into_records(name: str | None, said: str) -> None:
    sent = hello(name)
    assert server_name_of(sent + b"\x17more") == said
    payload = sent[5:]
    for at in (1, 3, 50, len(payload) - 1):
        pieces = (payload[:at], payload[at:])
        assert server_name_of(b"".join(sent[:3] + len(p).to_bytes(2, "big") + p for p in pieces)) == said


def test_a_greeting_that_is_not_whole_asks_for_more() -> None:
    sent = hello("api.example.com")
    for size in range(len(sent)):
        with pytest.raises(IncompleteError):
            server_name_of(sent[:size])


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\x00\x01\x01\x17\x03\x01\x00\x01\x00",
        b"\x16\x03\x01\x00\x01\x01" + b"\x16\x03\x01\x00\x01\x00" * 8,
    ],
)
def test_a_greeting_that_is_none_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        server_name_of(sent)


@given(st.integers(5, 300), st.binary(min_size=1, max_size=3))
def test_no_damage_to_a_greeting_does_more_than_have_it_refused(at: int, damage: bytes) -> None:
    sent = hello("api.example.com")
    with suppress(ValueError, IncompleteError):
        assert isinstance(server_name_of(sent[:at] + damage + sent[at + len(damage) :]), str)


def test_what_is_counted_is_bounded_in_bytes_and_in_names() -> None:
    traffic = Traffic(EgressLimits(sent_bytes=100, received_bytes=10))
    names = {traffic.connected(f"h{number}.example.com", 443) for number in range(100)}
    assert len(names) == 65
    traffic.sent("*", 100)
    with pytest.raises(CutError):
        traffic.sent("h1.example.com:443", 1)
    traffic.received("h1.example.com:443", 10)
    report = traffic.report()
    assert {each.target: each.connections for each in report.reached}["*"] == 36
    assert sum(each.sent_bytes for each in report.reached) == 100
    assert report.refused == {"bytes": 1}
