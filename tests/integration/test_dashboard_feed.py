"""Fetching a calendar from an address, against a real https server that behaves as well or as badly as it is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from dashboard_fakes import LUNCH, NOON

from dashboard_service.adapters import calendar_feed_aiohttp
from dashboard_service.adapters.calendar_feed_https import FeedPolicy, HttpsCalendarFeed
from dashboard_service.domain.errors import CalendarAddressRefused, CalendarUnreachable
from shared.testing.fakes import FakeClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SECRET = "t0ken"


@dataclass
class Server:
    """A https server on 127.0.0.1; `replies` by path, `seen` the requests, `dialled` the connections."""

    port: int = 0
    ca_file: Path = Path()
    replies: dict[str, Handler] = field(default_factory=dict)
    seen: list[web.Request] = field(default_factory=list)

    def url(self, path: str = f"/{SECRET}.ics", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        return await self.replies[request.path](request)

    def on(self, reply: Handler, path: str = f"/{SECRET}.ics") -> None:
        self.replies[path] = reply


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def server(tmp_path: Path, authority: trustme.CA) -> AsyncIterator[Server]:
    made = Server(ca_file=tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(made.ca_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "calendar.example", "127.0.0.1").configure_cert(tls)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    made.port = site._server.sockets[0].getsockname()[1]
    yield made
    await runner.cleanup()


@pytest.fixture
def feed(server: Server) -> HttpsCalendarFeed:
    return HttpsCalendarFeed(FakeClock(), FeedPolicy(allow_private=True, ca_file=server.ca_file))


@pytest.fixture
def guarded(server: Server) -> HttpsCalendarFeed:
    return HttpsCalendarFeed(FakeClock(), FeedPolicy(ca_file=server.ca_file))


def reply(body: bytes = LUNCH, status: int = 200, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


async def refusal(feed: HttpsCalendarFeed, url: str, timeout_s: float = 5) -> str:
    with pytest.raises((CalendarAddressRefused, CalendarUnreachable)) as caught:
        await feed.fetch("org-a", url, timeout_s)
    error: BaseException | None = caught.value
    assert SECRET not in str(error)
    return caught.value.message


async def test_a_calendar_is_fetched(server: Server, feed: HttpsCalendarFeed) -> None:
    server.on(reply())
    got = await feed.fetch("org-a", server.url(), 5)
    assert (got.ics, got.read_at, got.problem) == (LUNCH, NOON, "")
    (request,) = server.seen
    assert request.headers["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie", "Referer"} & set(request.headers)


async def test_redirects_are_followed_three_times_and_no_more(server: Server, feed: HttpsCalendarFeed) -> None:
    for n in range(4):
        server.on(reply(b"", 302 + n % 2, Location=f"/hop{n + 1}"), f"/hop{n}")
    server.on(reply(), "/hop4")
    assert (await feed.fetch("org-a", server.url("/hop1"), 5)).ics == LUNCH
    assert "more than 3 times" in await refusal(feed, server.url("/hop0"))


@pytest.mark.parametrize(
    "target", ["http://localhost/x", "ftp://localhost/x", "file:///etc/passwd", "https://u:p@localhost/"]
)
async def test_a_redirect_must_be_such_an_address_too(server: Server, feed: HttpsCalendarFeed, target: str) -> None:
    server.on(reply(b"", 302, Location=target))
    assert "address must" in await refusal(feed, server.url())
    assert len(server.seen) == 1


async def test_a_redirect_to_nowhere_ends(server: Server, feed: HttpsCalendarFeed) -> None:
    server.on(reply(b"", 302))
    assert "more than 3 times" in await refusal(feed, server.url())
    server.on(reply(b"", 302, Location="https://[::bad/"))
    assert "no address" in await refusal(feed, server.url()) or "no URL" in await refusal(feed, server.url())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(b"<html>Sign in</html>"), "no iCalendar file"),
        (reply(b""), "no iCalendar file"),
        (reply(LUNCH, 404), "status 404"),
        (reply(LUNCH, 500), "status 500"),
        (reply(b"", 304), "status 304"),
        (reply(LUNCH, Content_Encoding="gzip"), "packed"),
        (reply(LUNCH + b" " * (2 * 1024 * 1024)), "more than"),
    ],
)
async def test_what_is_no_calendar_is_told(server: Server, feed: HttpsCalendarFeed, answer: Handler, why: str) -> None:
    server.on(answer)
    message = await refusal(feed, server.url())
    assert why in message
    assert "localhost" in message


async def test_a_body_without_end_is_cut_at_its_limit(server: Server, feed: HttpsCalendarFeed) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"BEGIN:VCALENDAR\r\n" * 10_000)
            sent += 170_000

    server.on(endless)
    assert "more than" in await refusal(feed, server.url())
    assert sent < 20_000_000


async def test_a_body_that_trickles_is_given_up(server: Server, feed: HttpsCalendarFeed) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"B")
            await asyncio.sleep(0.05)

    server.on(trickle)
    assert "in time" in await refusal(feed, server.url(), 0.5)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    feed = HttpsCalendarFeed(FakeClock(), FeedPolicy(allow_private=True))
    message = await refusal(feed, f"https://localhost:{silent.getsockname()[1]}/{SECRET}", 0.4)
    assert "localhost" in message
    silent.close()
    assert "cannot be reached" in await refusal(feed, f"https://localhost:{9}/{SECRET}", 1)


async def test_a_certificate_of_nobody_known_is_refused(server: Server) -> None:
    feed = HttpsCalendarFeed(FakeClock(), FeedPolicy(allow_private=True))
    assert "certificate" in await refusal(feed, server.url())
    assert server.seen == []


@pytest.mark.parametrize("url", ["", "calendar.ics", "http://localhost/x", "webcal://localhost/x", "https://", "https:///x",
                                 "file:///etc/passwd", "https://user:t0ken@localhost/", "https://user@localhost/",
                                 "https://[::bad/x", "https://localhost:99999/", "//localhost/x"])  # fmt: skip
async def test_an_address_of_another_kind_is_refused(feed: HttpsCalendarFeed, url: str) -> None:
    await refusal(feed, url)
    with pytest.raises(CalendarAddressRefused) as caught:
        feed.host_of(url)
    assert SECRET not in str(caught.value)


PRIVATE_HOSTS = ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
                 "169.254.169.254", "10.0.0.1", "localhost.", "LOCALHOST",
                 "127.1", "2130706433", "0x7f000001", "0"]  # fmt: skip


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the addresses that the test's loop connects to."""
    seen: list[object] = []
    original = asyncio.SelectorEventLoop.sock_connect

    async def noted(loop: asyncio.SelectorEventLoop, sock: socket.socket, address: object) -> None:
        seen.append(address)
        await original(loop, sock, address)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", noted)
    return seen


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
async def test_no_private_address_is_ever_dialled(
    server: Server, guarded: HttpsCalendarFeed, dialled: list[object], host: str
) -> None:
    server.on(reply())
    await refusal(guarded, server.url(host=host), 2)
    assert (dialled, server.seen) == ([], [])


async def test_a_private_address_is_refused_by_its_name(
    server: Server, feed: HttpsCalendarFeed, guarded: HttpsCalendarFeed, dialled: list[object]
) -> None:
    server.on(reply())
    assert await refusal(guarded, server.url()) == (
        "localhost is, or leads to, an address of a private network, from which no calendar is fetched."
    )
    await feed.fetch("org-a", server.url(), 5)
    assert dialled, "what is allowed is dialled, so the check above sees what is not"


def _resolving(monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> list[str]:
    """Let names resolve as told, one answer a look-up, and note the look-ups."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        found = answers[host.replace(".", "_")]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


async def test_one_private_address_among_public_ones_refuses_the_host(
    server: Server, guarded: HttpsCalendarFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolving(monkeypatch, calendar_example=["93.184.216.34", "127.0.0.1"])
    assert "private network" in await refusal(guarded, server.url(host="calendar.example"))
    assert server.seen == []


async def test_a_host_is_looked_up_once_and_reached_at_that_address(
    server: Server, guarded: HttpsCalendarFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server stands in for a public one: its address, and no other, counts as public here.
    monkeypatch.setattr(calendar_feed_aiohttp, "is_public", lambda address: address == "127.0.0.1")
    asked = _resolving(monkeypatch, calendar_example=["127.0.0.1"], inside_example=["127.0.0.2"])
    server.on(reply())
    assert (await guarded.fetch("org-a", server.url(host="calendar.example"), 5)).ics == LUNCH
    assert asked == ["calendar.example"]
    server.on(reply(b"", 302, Location=server.url(host="inside.example")))
    assert "inside.example is, or leads to" in await refusal(guarded, server.url(host="calendar.example"))
    server.on(reply(b"", 302, Location=server.url(host="127.0.0.2")))
    assert "127.0.0.2 is, or leads to" in await refusal(guarded, server.url(host="calendar.example"))
    assert len(server.seen) == 3


async def test_a_proxy_of_the_environment_is_not_asked(
    server: Server, feed: HttpsCalendarFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.on(reply())
    assert (await feed.fetch("org-a", server.url(), 5)).ics == LUNCH
