"""The tool `web_search` with its engines, against real servers that speak as those do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from tools_fakes import call_context
from tools_web_rig import INSIDE, Site, known_names, led, reply, running_site, web_client

from shared.errors import PreconditionFailed
from shared.testing.fakes import FakeClock
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_web_search import WebSearchTool
from tool_executor.adapters.web.assembly import WebTools
from tool_executor.adapters.web.search_engine_searxng import SearxngSearchEngine
from tool_executor.adapters.web.search_engine_serper import SerperSearchEngine
from tool_executor.domain.tool_call import ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.web_options import WebOptions
from tool_executor.settings import Settings

KEY = "key-that-nobody-sees"
SEARXNG_ANSWER: dict[str, Any] = {
    "query": "ship",
    "results": [
        {
            "url": "https://a.example/",
            "title": "  A\n title ",
            "content": "words",
            "engine": "duckduckgo",
            "publishedDate": "2026-11-01",
        },
        {"url": "https://b.example/", "title": None, "content": "x" * 5_000, "engine": "bing", "publishedDate": None},
        {"url": "javascript:alert(1)", "title": "evil"},
        {"url": "https://c.example/" + "c" * 5_000, "title": "long"},
        "no object",
        {"title": "no address"},
        *({"url": f"https://x.example/{n}", "title": str(n)} for n in range(50)),
    ],
    "answers": [{"answer": "It sank.", "url": None}],
}
SERPER_ANSWER: dict[str, Any] = {
    "searchParameters": {"q": "ship"},
    "answerBox": {"title": "Ship", "snippet": "It sank."},
    "organic": [
        {"title": "A", "link": "https://a.example/", "snippet": "words", "date": "1 Nov 2026", "position": 1},
        {"title": "B", "link": "https://b.example/", "position": 2},
    ],
}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    # An operator's own server, at a private address.
    async with running_site(INSIDE) as made:
        yield made


def engines(site: Site) -> dict[str, CheckedTool]:
    client = web_client(known_names())
    url = site.url("/search", INSIDE)
    return {
        "searxng": CheckedTool(WebSearchTool(SearxngSearchEngine(client, site.url("", INSIDE)))),
        "serper": CheckedTool(WebSearchTool(SerperSearchEngine(client, url, KEY))),
    }


async def search(made: CheckedTool, **asks: Any) -> ToolOutput:
    return await made.run({"query": "  the\n ship ", **asks}, call_context())


async def test_searxng_is_asked_and_its_results_are_bounded(site: Site) -> None:
    site.on("/search", reply(json.dumps(SEARXNG_ANSWER), Content_Type="application/json"))
    output = await search(engines(site)["searxng"], count=3, recency="week")
    assert parse_qs(site.bodies[0].decode()) == {"q": ["the ship"], "format": ["json"], "time_range": ["week"]}
    first, second, third = output.value["results"]  # type: ignore[misc]
    assert first == {
        "title": "A title",
        "url": "https://a.example/",
        "snippet": "words",
        "source": "duckduckgo",
        "published": "2026-11-01",
    }
    assert (second["title"], len(second["snippet"]), third["url"]) == ("https://b.example/", 600, "https://x.example/0")
    assert output.value["answer"] == "It sank."
    assert output.summary.startswith("It sank.\n1. A title - https://a.example/\n2. ")


async def test_older_searxng_servers_answer_with_texts(site: Site) -> None:
    site.on("/search", reply(json.dumps({"results": [], "answers": ["42"]})))
    output = await search(engines(site)["searxng"])
    assert (output.value["answer"], output.summary) == ("42", "Nothing was found. Try other words.")


async def test_serper_is_asked_with_its_key(site: Site) -> None:
    site.on("/search", reply(json.dumps(SERPER_ANSWER), Content_Type="application/json"))
    output = await search(engines(site)["serper"], recency="day")
    (seen,) = site.seen
    assert (seen.method, seen.headers["X-API-KEY"], seen.headers["Content-Type"]) == ("POST", KEY, "application/json")
    assert json.loads(site.bodies[0]) == {"q": "the ship", "num": 5, "tbs": "qdr:d"}
    assert [(hit["title"], hit["published"]) for hit in output.value["results"]] == [("A", "1 Nov 2026"), ("B", "")]  # type: ignore[union-attr]
    assert output.value["answer"] == "It sank."
    assert KEY not in json.dumps(output.value)


def _echo_key(status: int) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=f"bad key {request.headers.get('X-API-KEY')}")

    return answer


@pytest.mark.parametrize("engine", ["searxng", "serper"])
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_echo_key(401), "WEB_SEARCH_REFUSED"),
        (_echo_key(403), "WEB_SEARCH_REFUSED"),
        (_echo_key(429), "WEB_SEARCH_LIMITED"),
        (_echo_key(500), "WEB_SEARCH_FAILED"),
        (_echo_key(200), "WEB_SEARCH_FAILED"),
        (reply("[]"), "WEB_SEARCH_FAILED"),
        (reply("<html>"), "WEB_SEARCH_FAILED"),
        (reply(b"x" * 3_000_000), "WEB_SEARCH_FAILED"),
        (led("http://site.example/"), "WEB_SEARCH_FAILED"),
    ],
)
async def test_an_engine_that_fails_is_broken_and_never_shows_its_key(
    site: Site, engine: str, answer: Any, reason: str
) -> None:
    site.on("/search", answer)
    with pytest.raises(ToolFailure) as caught:
        await search(engines(site)[engine])
    assert (caught.value.reason, caught.value.broken) == (reason, True)
    assert KEY not in f"{caught.value} {caught.value.__cause__}"
    assert site.paths == ["/search"]


async def test_an_engine_that_is_silent_is_given_up(site: Site) -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    site.on("/search", silent)
    with pytest.raises(ToolFailure) as caught:
        await engines(site)["serper"].run({"query": "x"}, call_context(timeout_s=1.1))
    assert (caught.value.reason, caught.value.status) == ("WEB_SEARCH_TIMEOUT", ToolStatus.TIMEOUT)


async def test_odd_answers_are_no_results(site: Site) -> None:
    odd: dict[str, Any] = {"results": {"a": 1}, "organic": "x", "answerBox": [], "answers": {"a": 1}}
    site.on("/search", reply(json.dumps(odd)))
    for made in engines(site).values():
        assert (await search(made)).value == {"results": [], "answer": ""}


async def test_without_an_engine_the_tool_is_there_and_says_what_to_set() -> None:
    made = WebSearchTool(None)
    assert made.definition.description.startswith("Cannot be used now. Web search is not configured.")
    with pytest.raises(PreconditionFailed, match="NEXUS_TOOLS_WEB_SEARCH_SEARXNG_URL") as caught:
        await made.run({"query": "x"}, call_context())
    assert caught.value.reason == "WEB_SEARCH_NOT_CONFIGURED"


def test_settings_of_the_web_are_checked_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, why in (
        (WebOptions(search_searxng_url="http://127.0.0.1:8888", search_key=KEY), "not both"),
        (WebOptions(search_searxng_url="127.0.0.1:8888"), "http://"),
        (WebOptions(search_url="ftp://x", search_key=KEY), "http://"),
        (WebOptions(search_key="two\nlines"), "key"),
        (WebOptions(request_hosts=["https://a.example"]), "is no host"),
        (WebOptions(ca_file=tmp_path / "nothing.pem"), "is not there"),
    ):
        with pytest.raises(PreconditionFailed, match=why) as caught:
            WebTools(options, FakeClock())
        assert caught.value.reason == "WEB_SETTINGS_INVALID"
        assert KEY not in str(caught.value)
    monkeypatch.setenv("NEXUS_TOOLS_HTTP_REQUEST_HOSTS", "api.example.com, *.b.example")
    monkeypatch.setenv("NEXUS_TOOLS_WEB_SEARCH_KEY", f" {KEY}\n")
    monkeypatch.setenv("NEXUS_TOOLS_WEB_PORTS", "[443]")
    settings = Settings()  # type: ignore[call-arg]
    assert KEY not in f"{settings} {settings.web}"
    assert (settings.web.search_key, settings.web.ports) == (KEY, [443])
    tools = {tool.definition.name: tool for tool in WebTools(settings.web, FakeClock()).tools}
    assert sorted(tools) == ["http_request", "load_web_page", "web_search"]
    assert "api.example.com, *.b.example" in tools["http_request"].definition.description
    assert "not configured" not in tools["web_search"].definition.description
