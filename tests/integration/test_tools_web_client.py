"""The web's client against real servers that behave as badly as they are told."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from tools_web_rig import (
    INSIDE,
    PUBLIC,
    AnyPort,
    Handler,
    Names,
    Site,
    known_names,
    led,
    raw_server,
    reply,
    running_site,
    web_client,
)

from tool_executor.adapters.web.web_client_aiohttp import AiohttpWebClient
from tool_executor.adapters.web.web_gate_own import OwnServerWebGate
from tool_executor.domain.web_exchange import Admission, WebAddress, WebAnswer, WebFailure, WebFault, WebRequest
from tool_executor.ports.web_gate import WebGate

LIMIT = 100_000
GATE = AnyPort()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as made:
        yield made


@pytest.fixture
async def inside(site: Site) -> AsyncIterator[Site]:
    async with running_site(INSIDE, site.port) as made:
        yield made


async def fetched(url: str, names: Names | None = None, gate: WebGate = GATE, **asks: object) -> WebAnswer:
    request = WebRequest(url, **{"timeout_s": 5.0, "max_bytes": LIMIT, "max_redirects": 5} | asks)  # type: ignore[arg-type]
    return await web_client(names or known_names()).send(request, gate)


async def fault(url: str, names: Names | None = None, gate: WebGate = GATE, **asks: object) -> WebFault:
    with pytest.raises(WebFailure) as caught:
        await fetched(url, names, gate, **asks)
    assert "/secret" not in str(caught.value)
    return caught.value.fault


async def test_a_page_is_fetched_and_nothing_is_told_that_need_not_be(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.on("/", reply("hello", Set_Cookie="a=b"))
    for _ in range(2):
        answer = await fetched(site.url("/?q=1#part"))
    assert (answer.status, answer.body, answer.media_type, answer.charset) == (200, b"hello", "text/html", "utf-8")
    first, second = site.seen
    assert dict(second.headers) == {
        "Host": f"site.example:{site.port}",
        "User-Agent": "Nexus/test",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Connection": "close",
    }
    assert first.query_string == "q=1"
    assert first.version == (1, 1)


async def test_redirects_are_followed_five_times_and_no_more(site: Site) -> None:
    for n in range(6):
        site.on(f"/{n}", led(f"/{n + 1}", (301, 302, 303, 307, 308)[n % 5]))
    site.on("/6", reply("there"))
    assert (await fetched(site.url("/1"))).url == site.url("/6")
    assert await fault(site.url("/0")) is WebFault.REDIRECTS
    assert (await fetched(site.url("/1"), max_redirects=0)).status == 302
    site.on("/p", led("/6"))
    assert (await fetched(site.url("/p"), method="POST", body=b"x")).status == 302


@pytest.mark.parametrize(
    "target",
    [
        *("http://127.0.0.2:{port}/", "http://[::1]:{port}/", "http://localhost:{port}/", "http://2130706434:{port}/"),
        *("http://0x7f000002:{port}/", "http://[::ffff:127.0.0.2]:{port}/", "http://169.254.169.254/latest/meta-data"),
        *(
            "file:///etc/passwd",
            "//127.0.0.2:{port}/",
            "http://site.example@127.0.0.2:{port}/",
            "http://inside.example:{port}/",
        ),
    ],
)
async def test_a_chain_into_private_space_ends_there(site: Site, inside: Site, target: str) -> None:
    site.on("/a", led("/secret"))
    site.on("/secret", led(target.format(port=site.port)))
    assert await fault(site.url("/a")) is WebFault.REFUSED
    assert (site.paths, inside.paths) == (["/a", "/secret"], [])


async def test_headers_stay_with_the_origin_that_they_were_meant_for(site: Site) -> None:
    site.on("/a", led("/b"))
    site.on("/b", led(site.url("/c", "other.example")))
    site.on("/c", reply("there"))

    class Gate:
        async def admit(self, address: WebAddress) -> Admission:
            return Admission(headers={"X-Key": "k"} if address.host == "site.example" else {})

    await fetched(site.url("/a"), gate=Gate(), headers={"X-Mine": "m", "Accept": "text/plain", "x-key": "overridden"})
    told = [(seen.headers.get("X-Mine"), seen.headers.get("X-Key"), seen.headers["Accept"]) for seen in site.seen]
    assert told == [("m", "k", "text/plain"), ("m", "k", "text/plain"), (None, None, "text/plain")]


async def test_a_name_that_leads_elsewhere_the_second_time_is_looked_up_once_for_each_connection(
    site: Site, inside: Site
) -> None:
    names = known_names()
    names.lead("rebinding.example", [PUBLIC], [INSIDE])
    site.on("/", reply("public"))
    inside.on("/", reply("private"))
    assert (await fetched(site.url("/", "rebinding.example"), names)).body == b"public"
    assert names.asked == ["rebinding.example"]
    assert await fault(site.url("/", "rebinding.example"), names) is WebFault.REFUSED
    assert inside.paths == []


async def test_a_redirect_back_to_a_name_that_leads_elsewhere_by_now_is_refused(site: Site, inside: Site) -> None:
    names = known_names()
    names.lead("rebinding.example", [PUBLIC], [INSIDE])
    site.on("/", led("/again"))
    assert await fault(site.url("/", "rebinding.example"), names) is WebFault.REFUSED
    assert (site.paths, inside.paths) == (["/"], [])


@pytest.mark.parametrize(
    "addresses",
    [
        *(["10.0.0.1"], ["127.0.0.1"], ["169.254.169.254"], ["100.64.0.1"], ["::1"], ["::ffff:10.0.0.1"], ["fd00::1"]),
        *(["64:ff9b::7f00:1"], ["2002:c0a8:101::1"], ["0.1.2.3"], ["224.0.0.1"], ["168.63.129.16"]),
        *(["8.8.8.8", "10.0.0.1"], ["2606:4700:4700::1111", "::1"]),
    ],
)
async def test_a_name_with_any_private_address_is_never_dialled(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[object] = []

    async def noted(_loop: object, _sock: socket.socket, address: object) -> None:
        dialled.append(address)
        raise OSError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", noted)
    names = Names()
    names.lead("site.example", addresses)
    names.lead("public.example", ["8.8.8.8"])
    client = AiohttpWebClient("Nexus/test", names)
    with pytest.raises(WebFailure) as caught:
        await client.send(WebRequest("http://site.example/", 5, LIMIT), GATE)
    assert (caught.value.fault, dialled) == (WebFault.REFUSED, [])
    with pytest.raises(WebFailure):
        await client.send(WebRequest("http://public.example/", 5, LIMIT), GATE)
    assert dialled == [("8.8.8.8", 80)], "what is allowed is dialled, so the check above sees what is not"


async def test_an_operators_own_server_may_be_private_and_leads_nowhere(site: Site, inside: Site) -> None:
    url = inside.url("/", INSIDE)
    inside.on("/", reply("mine"))
    assert (await fetched(url, gate=OwnServerWebGate(url))).body == b"mine"
    inside.on("/", led(site.url("/", PUBLIC)))
    assert await fault(url, gate=OwnServerWebGate(url)) is WebFault.REFUSED
    assert await fault("http://169.254.169.254/", gate=OwnServerWebGate("http://169.254.169.254/")) is WebFault.REFUSED
    assert site.paths == []


def packed(body: bytes, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello" * 100)),
        ("x-gzip", gzip.compress(b"hello" * 100)),
        ("deflate", packed(b"hello" * 100, 15)),
        ("deflate", packed(b"hello" * 100, -15)),
        ("identity", b"hello" * 100),
    ],
    # Packed bytes hold the time, and would name the tests otherwise in each process.
    ids=["gzip", "x-gzip", "deflate", "raw deflate", "identity"],
)
async def test_packed_bodies_are_unpacked(site: Site, coding: str, body: bytes) -> None:
    site.on("/", reply(body, Content_Encoding=coding))
    assert (await fetched(site.url())).body == b"hello" * 100


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        ("gzip", gzip.compress(bytes(50_000_000), 9), WebFault.TOO_LARGE),
        ("deflate", packed(bytes(50_000_000), 15), WebFault.TOO_LARGE),
        ("deflate", packed(bytes(50_000_000), -15), WebFault.TOO_LARGE),
        ("gzip", gzip.compress(b"x") + bytes(2 * LIMIT), WebFault.TOO_LARGE),
        ("gzip", gzip.compress(b"hello" * 100)[:-10], WebFault.FAILED),
        ("gzip", b"no gzip at all", WebFault.FAILED),
        ("br", b"\x0b\x02\x80hello\x03", WebFault.FAILED),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x")), WebFault.FAILED),
    ],
    ids=["gzip bomb", "deflate bomb", "raw bomb", "trailing", "cut", "broken", "br", "twice"],
)
async def test_bombs_and_broken_packings_end(site: Site, coding: str, body: bytes, expected: WebFault) -> None:
    site.on("/", reply(body, Content_Encoding=coding))
    assert await fault(site.url()) is expected


async def test_a_bomb_takes_no_more_memory_than_the_limit(site: Site) -> None:
    site.on("/", reply(gzip.compress(bytes(50_000_000), 9), Content_Encoding="gzip"))
    assert await fault(site.url()) is WebFault.TOO_LARGE
    tracemalloc.start()
    try:
        assert await fault(site.url()) is WebFault.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


async def test_what_unpacks_to_nothing_has_an_end_too() -> None:
    async def nothing(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x"))
        while True:
            writer.write(bytes(50_000))
            await writer.drain()

    async with raw_server(nothing) as port:
        assert await fault(f"http://site.example:{port}/") is WebFault.TOO_LARGE


async def test_a_body_is_cut_or_refused_at_its_limit_whatever_its_length_says(site: Site) -> None:
    site.on("/", reply(bytes(LIMIT)))
    assert len((await fetched(site.url())).body) == LIMIT
    site.on("/", reply(bytes(LIMIT + 1)))
    assert await fault(site.url()) is WebFault.TOO_LARGE
    cut = await fetched(site.url(), cuts=True)
    assert (len(cut.body), cut.cut) == (LIMIT, True)
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(50_000))
            sent += 50_000

    site.on("/", endless)
    assert await fault(site.url()) is WebFault.TOO_LARGE
    assert sent < 20_000_000


async def _drip_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _drip_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _interim(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("talk", [_drip_body, _drip_head, _interim, _silence])
async def test_a_server_that_drips_is_given_up(talk: object) -> None:
    async with raw_server(talk) as port:  # type: ignore[arg-type]
        assert await fault(f"http://site.example:{port}/", timeout_s=0.15) is WebFault.TIMEOUT


async def _endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Header: value\r\n" * 1_000)
        await writer.drain()


async def _endless_header(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"v" * 10_000)
        await writer.drain()


async def _no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


async def _breaks_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def _two_lengths(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
    await writer.drain()


@pytest.mark.parametrize("talk", [_endless_headers, _endless_header, _no_http, _breaks_off, _two_lengths])
async def test_what_is_no_http_or_has_no_end_fails(talk: object) -> None:
    async with raw_server(talk) as port:  # type: ignore[arg-type]
        assert await fault(f"http://site.example:{port}/", timeout_s=5) is WebFault.FAILED


async def test_headers_of_strange_bytes_can_be_told_on() -> None:
    async def strange(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: \xff\xfe\r\nContent-Type: text/\xff\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(strange) as port:
        answer = await fetched(f"http://site.example:{port}/")
        assert all(value.encode() for _, value in answer.headers)
        assert answer.media_type == "text/\ufffd"
        assert await fault(f"http://site.example:{port}/", media_types=frozenset({"text/html"})) is WebFault.TYPE


async def test_a_type_that_is_not_wanted_is_not_read(site: Site) -> None:
    site.on("/", reply(b"x", Content_Type="image/png"))
    wanted = frozenset({"text/html"})
    assert await fault(site.url(), media_types=wanted) is WebFault.TYPE
    site.on("/", reply(b"gone", 404, Content_Type="image/png"))
    assert (await fetched(site.url(), media_types=wanted)).body == b""


async def test_hosts_that_are_not_there_are_told_apart(site: Site) -> None:
    with pytest.raises(WebFailure, match="no host called nowhere"):
        await fetched("http://nowhere.example/")
    with socket.socket() as closed:
        closed.bind((PUBLIC, 0))
        with pytest.raises(WebFailure, match="cannot be reached"):
            await fetched(f"http://site.example:{closed.getsockname()[1]}/")


async def test_a_lookup_that_nobody_answers_ends_in_time() -> None:
    async def silence(_host: str, _port: int, _family: socket.AddressFamily) -> list[object]:
        await asyncio.sleep(60)
        return []

    client = AiohttpWebClient("Nexus/test", silence)  # type: ignore[arg-type]
    with pytest.raises(WebFailure) as caught:
        await client.send(WebRequest("https://site.example/", 0.1, LIMIT), GATE)
    assert caught.value.fault is WebFault.TIMEOUT


async def test_certificates_are_verified_for_the_name(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.example").configure_cert(tls)
    hello: Handler = reply("hello")
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/down", led("http://site.example/"))
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    listening = web.TCPSite(runner, PUBLIC, 0, ssl_context=tls)
    await listening.start()
    port = listening._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def of(client: AiohttpWebClient, host: str, path: str = "/") -> WebAnswer:
        return await client.send(WebRequest(f"https://{host}:{port}{path}", 5, LIMIT, max_redirects=5), GATE)

    trusting = web_client(known_names(), ca_file=ca_file)
    try:
        assert (await of(trusting, "site.example")).body == b"hello"
        for client, host in ((trusting, "other.example"), (web_client(known_names()), "site.example")):
            with pytest.raises(WebFailure, match="certificate"):
                await of(client, host)
        with pytest.raises(WebFailure, match="from https to http"):
            await of(trusting, "site.example", "/down")
    finally:
        await runner.cleanup()
