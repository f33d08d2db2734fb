"""The tool `load_web_page` against real servers, with its real reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tools_fakes import call_context
from tools_web_rig import AnyPort, Names, Site, known_names, led, raw_server, reply, running_site, web_client

from shared.testing.fakes import FakeClock
from tool_executor.adapters.page_reader_process import ProcessPageReader
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_load_web_page import LoadWebPageTool
from tool_executor.adapters.web.web_gate_robots import RobotsWebGate
from tool_executor.domain.tool_call import ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.web_page import PageLink, PageUnreadable, ReadPage

ARTICLE = "<title>The Ship</title><article><p>" + "The ship left the harbour early. " * 20 + "</p></article>"
LIMIT = 200_000


class FakeReader:
    """Reads a page as its own bytes."""

    async def read(self, html: bytes, charset: str, url: str) -> ReadPage:
        if b"break" in html:
            raise PageUnreadable
        return ReadPage("A title", html.decode(), (PageLink("one", "https://a.example/"), PageLink("two", url)))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as made:
        yield made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tool(clock: FakeClock) -> CheckedTool:
    return _tool(clock, FakeReader())


def _tool(clock: FakeClock, reader: Any, load_s: float = 5.0, names: Names | None = None) -> CheckedTool:
    client = web_client(names or known_names())
    gate = RobotsWebGate(AnyPort(), client, clock)
    return CheckedTool(LoadWebPageTool(client, gate, reader, load_s=load_s, max_bytes=LIMIT))


async def load(tool: CheckedTool, url: str, **more: Any) -> ToolOutput:
    return await tool.run({"url": url, **more}, call_context())


async def reason(tool: CheckedTool, url: str) -> str:
    with pytest.raises(ToolFailure) as caught:
        await load(tool, url)
    return caught.value.reason


async def test_a_page_is_read_in_a_process_of_its_own(site: Site, clock: FakeClock) -> None:
    reader = ProcessPageReader(workers=1, timeout_s=20, memory_bytes=805_306_368)
    site.on("/", reply(ARTICLE + '<a href="/log">Log</a>'))
    try:
        output = await load(_tool(clock, reader), site.url())
        assert output.value["title"] == "The Ship"
        assert "left the harbour" in str(output.value["text"])
        assert output.value["links"] == [{"text": "Log", "url": site.url("/log")}]
        assert output.summary.startswith("The Ship, ")
        site.on("/", reply("<!-- nothing -->"))
        assert await reason(_tool(clock, reader), site.url()) == "PAGE_TOO_LARGE"
    finally:
        await reader.stop()


async def test_a_page_that_breaks_the_reader_costs_one_process(site: Site, clock: FakeClock) -> None:
    slow = ProcessPageReader(workers=1, timeout_s=0.05, memory_bytes=805_306_368)
    site.on("/", reply("<table>" + "<tr><td>a" * 20_000))
    try:
        assert await reason(_tool(clock, slow), site.url()) == "PAGE_TOO_LARGE"
    finally:
        await slow.stop()


async def test_a_long_page_comes_in_parts(site: Site, tool: CheckedTool) -> None:
    site.on("/", reply("x" * 300 + "y" * 300))
    first = await load(tool, site.url(), max_chars=300, max_links=1)
    rest = await load(tool, site.url(), max_chars=1_000, start=300)
    assert (first.value["text"], first.value["more"], first.value["total_chars"]) == ("x" * 300, True, 600)
    assert (rest.value["text"], rest.value["more"]) == ("y" * 300, False)
    assert first.value["links"] == [{"text": "one", "url": "https://a.example/"}]
    assert first.summary == "A title, 300 of 600 characters."


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        (b'{"a": 1}', "application/json", '{"a": 1}'),
        (b"# Title\n\n*text*", "text/markdown; charset=utf-8", "# Title\n\n*text*"),
        ("h\u00e9".encode("cp1252"), "text/plain; charset=windows-1252", "h\u00e9"),
        (b"<a/>", "application/xml", "<a/>"),
        (b"", "text/html", ""),
    ],
)
async def test_plain_types_come_as_they_are(
    site: Site, tool: CheckedTool, body: bytes, media_type: str, text: str
) -> None:
    site.on("/", reply(body, Content_Type=media_type))
    assert (await load(tool, site.url())).value["text"] == text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply("gone", 404), "PAGE_NOT_FOUND"),
        (reply("gone", 410), "PAGE_NOT_FOUND"),
        (reply("no", 403), "PAGE_FAILED"),
        (reply("no", 429), "PAGE_FAILED"),
        (reply("oops", 500), "PAGE_FAILED"),
        (reply(b"%PDF-1.7\0", Content_Type="application/pdf"), "PAGE_TYPE_UNSUPPORTED"),
        (reply(b"<p>", Content_Type="image/png"), "PAGE_TYPE_UNSUPPORTED"),
        # A type that is not true.
        (reply(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "PAGE_TYPE_UNSUPPORTED"),
        (reply(b"MZ\0\0", Content_Type="text/plain"), "PAGE_TYPE_UNSUPPORTED"),
        (reply("x" * (LIMIT + 1)), "PAGE_TOO_LARGE"),
        (reply("break"), "PAGE_TOO_LARGE"),
        (reply("x", Content_Encoding="br"), "PAGE_FAILED"),
        (led("/"), "TOO_MANY_REDIRECTS"),
        (led("http://169.254.169.254/"), "URL_REFUSED"),
        (led("http://inside.example/"), "URL_REFUSED"),
    ],
)
async def test_what_cannot_be_read_is_told_apart(site: Site, tool: CheckedTool, answer: Any, expected: str) -> None:
    site.on("/", answer)
    assert await reason(tool, site.url()) == expected


async def test_a_page_without_a_type_is_looked_at(tool: CheckedTool) -> None:
    async def bare(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html><p>hello.")
        await writer.drain()

    async with raw_server(bare) as port:
        # Its robots.txt is the same page, which forbids nothing.
        assert (await load(tool, f"http://site.example:{port}/")).value["media_type"] == "text/html"


async def test_a_site_that_is_not_there_is_told_as_such(tool: CheckedTool) -> None:
    assert await reason(tool, "http://nowhere.example/") == "PAGE_FAILED"
    assert await reason(tool, "http://inside.example/") == "URL_REFUSED"


async def test_an_address_that_is_refused_is_an_argument_to_correct(tool: CheckedTool) -> None:
    with pytest.raises(ToolFailure) as caught:
        await load(tool, "http://user:hunter2@site.example/")
    assert (caught.value.reason, caught.value.status) == ("URL_REFUSED", ToolStatus.INVALID_ARGUMENTS)
    assert "hunter2" not in caught.value.summary


async def test_a_slow_page_is_given_up(site: Site, clock: FakeClock) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    site.on("/", slow)
    site.on("/robots.txt", reply(""))
    with pytest.raises(ToolFailure) as caught:
        await load(_tool(clock, FakeReader(), load_s=0.15), site.url())
    assert (caught.value.reason, caught.value.status) == ("PAGE_TIMEOUT", ToolStatus.TIMEOUT)


ROBOTS = "User-agent: *\nDisallow: /private\n\nUser-agent: nexus\nDisallow: /no-nexus\nAllow: /private\n"


@pytest.mark.parametrize(
    ("robots", "path", "expected"),
    [
        (reply(ROBOTS), "/page", ""),
        (reply(ROBOTS), "/private", ""),
        (reply(ROBOTS), "/no-nexus/x", "ROBOTS_DISALLOWED"),
        (reply("User-agent: *\nDisallow: /"), "/page", "ROBOTS_DISALLOWED"),
        (reply("User-agent: *\nDisallow: /*.php$"), "/page", ""),
        (reply(b"\xff\0 broken"), "/page", ""),
        (reply("Disallow: /", 404), "/page", ""),
        (reply("Disallow: /", 403), "/page", ""),
        (reply("", 500), "/page", "ROBOTS_DISALLOWED"),
        (reply("", 503), "/page", "ROBOTS_DISALLOWED"),
        (reply("", 429), "/page", "ROBOTS_DISALLOWED"),
        (led("/moved.txt"), "/page", "ROBOTS_DISALLOWED"),
        (led("/robots.txt"), "/page", ""),
        (led("http://169.254.169.254/"), "/page", "URL_REFUSED"),
        (reply("User-agent: *\nDisallow: /page\n" + "#" * 600_000), "/page", "ROBOTS_DISALLOWED"),
        (reply("User-agent: *\n" + "#" * 600_000 + "\nDisallow: /page\n"), "/page", ""),
    ],
)
async def test_robots_txt_is_heeded(site: Site, tool: CheckedTool, robots: Any, path: str, expected: str) -> None:
    site.on("/robots.txt", robots)
    site.on("/moved.txt", reply("User-agent: *\nDisallow: /page"))
    site.on(path, reply("hello"))
    if expected:
        assert await reason(tool, site.url(path)) == expected
        assert path not in site.paths
    else:
        assert (await load(tool, site.url(path))).value["text"] == "hello"


async def test_every_site_that_a_page_leads_to_is_asked(site: Site, tool: CheckedTool) -> None:
    async def robots(request: web.Request) -> web.StreamResponse:
        return web.Response(text="User-agent: *\nDisallow: /b" if "other" in request.host else "")

    site.on("/robots.txt", robots)
    site.on("/a", led(site.url("/b", "other.example")))
    assert await reason(tool, site.url("/a")) == "ROBOTS_DISALLOWED"
    assert site.paths == ["/robots.txt", "/a", "/robots.txt"]


async def test_rules_are_kept_for_an_hour_and_silence_for_a_minute(site: Site, clock: FakeClock) -> None:
    tool = _tool(clock, FakeReader())
    site.on("/robots.txt", reply("", 500))
    site.on("/", reply("hello"))
    for passed_s, asked in ((0, 1), (59, 1), (2, 2)):
        clock.advance(passed_s)
        assert await reason(tool, site.url()) == "ROBOTS_DISALLOWED"
        assert site.paths.count("/robots.txt") == asked
    site.on("/robots.txt", reply("", 404))
    for passed_s, asked in ((61, 3), (3_500, 3), (200, 4)):
        clock.advance(passed_s)
        await load(tool, site.url())
        assert site.paths.count("/robots.txt") == asked


async def test_a_robots_txt_that_never_comes_counts_as_a_no(site: Site, clock: FakeClock, monkeypatch: Any) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    monkeypatch.setattr("tool_executor.adapters.web.web_gate_robots._TIMEOUT_S", 0.1)
    site.on("/robots.txt", slow)
    assert await reason(_tool(clock, FakeReader()), site.url()) == "ROBOTS_DISALLOWED"
