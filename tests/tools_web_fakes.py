"""Fakes of the ports of the web's tools."""

from __future__ import annotations

from tool_executor.domain.web_exchange import Admission, WebAddress, WebAnswer, WebRequest
from tool_executor.domain.web_page import ReadPage
from tool_executor.domain.web_search import SearchFound, SearchHit, SearchQuestion
from tool_executor.ports.web_gate import WebGate


class FakeWebGate:
    """Admits everybody."""

    async def admit(self, address: WebAddress) -> Admission:
        """Return the plain admission."""
        return Admission()


class FakeWebClient:
    """Knows one page, whatever the address."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def send(self, request: WebRequest, gate: WebGate) -> WebAnswer:
        """Return the page."""
        return WebAnswer(request.url, 200, (), "text/html", "utf-8", self._body)


class FakePageReader:
    """Reads a page as its own bytes."""

    async def read(self, html: bytes, charset: str, url: str) -> ReadPage:
        """Return the bytes as text."""
        return ReadPage("A title", html.decode())


class FakeSearchEngine:
    """Finds the same each time."""

    def __init__(self, *hits: SearchHit) -> None:
        self._hits = hits

    async def search(self, question: SearchQuestion, timeout_s: float) -> SearchFound:
        """Return the hits."""
        return SearchFound(self._hits[: question.count])
