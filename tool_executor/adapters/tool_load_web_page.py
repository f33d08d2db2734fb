"""The tool `load_web_page`: the readable text of a page."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.web_exchange import WebAnswer, WebFailure, WebFault, WebRequest
from tool_executor.domain.web_page import (
    HTML_TYPES,
    PLAIN_TYPES,
    PageUnreadable,
    ReadPage,
    decoded,
    is_text,
    sniffed_type,
)
from tool_executor.ports.page_reader import PageReader
from tool_executor.ports.web_client import WebClient
from tool_executor.ports.web_gate import WebGate

_CHARS = 20_000
_LINKS = 20
_MAX_REDIRECTS = 5
_MARGIN_S = 1.0
"""Time for telling how it ended, beside the work itself."""
_LEAST_S = 0.2
_GONE = frozenset({404, 410})
_HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/markdown, text/plain;q=0.9, application/json;q=0.8, */*;q=0.1"
}
_REASONS = {
    WebFault.REFUSED: "URL_REFUSED",
    WebFault.DISALLOWED: "ROBOTS_DISALLOWED",
    WebFault.TOO_LARGE: "PAGE_TOO_LARGE",
    WebFault.TYPE: "PAGE_TYPE_UNSUPPORTED",
    WebFault.TIMEOUT: "PAGE_TIMEOUT",
    WebFault.REDIRECTS: "TOO_MANY_REDIRECTS",
    WebFault.FAILED: "PAGE_FAILED",
}


class LoadWebPageTool:
    """Fetches a page and tells what people read of it.

    Args:
        client: fetches it.
        gate: says where from.
        reader: makes text of HTML.
        load_s: longest time for fetching.
        max_bytes: most bytes of a page.
    """

    def __init__(self, client: WebClient, gate: WebGate, reader: PageReader, *, load_s: float, max_bytes: int) -> None:
        self._client = client
        self._gate = gate
        self._reader = reader
        self._load_s = load_s
        self._max_bytes = max_bytes
        self._definition = load_definition("load_web_page")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Return the part of the page that `arguments` ask for. Cancelling the call ends it everywhere.

        Raises:
            ToolFailure: URL_REFUSED, ROBOTS_DISALLOWED, PAGE_NOT_FOUND, PAGE_TYPE_UNSUPPORTED, PAGE_TOO_LARGE,
                PAGE_TIMEOUT, TOO_MANY_REDIRECTS or PAGE_FAILED.
            UpstreamDown: PAGE_READER_UNAVAILABLE.
        """
        answer = await self._fetched(str(arguments["url"]), call)
        media_type = answer.media_type or sniffed_type(answer.body)
        page = await self._read(answer, media_type)
        start = cast("int", arguments.get("start", 0))
        part = page.text[start : start + cast("int", arguments.get("max_chars", _CHARS))]
        links = page.links[: cast("int", arguments.get("max_links", _LINKS))]
        more = start + len(part) < len(page.text)
        value: JsonObject = {
            "url": answer.url,
            "title": page.title,
            "media_type": media_type,
            "text": part,
            "start": start,
            "total_chars": len(page.text),
            "more": more,
            "links": [{"text": link.text, "url": link.url} for link in links],
        }
        of = f", {len(part):,} of {len(page.text):,} characters" if more or start else f", {len(part):,} characters"
        return ToolOutput(value, f"{page.title or answer.url}{of}.")

    async def _fetched(self, url: str, call: CallContext) -> WebAnswer:
        timeout_s = max(_LEAST_S, min(self._load_s, call.timeout_s - _MARGIN_S))
        request = WebRequest(
            url.strip(),
            timeout_s,
            self._max_bytes,
            headers=_HEADERS,
            media_types=HTML_TYPES | PLAIN_TYPES,
            max_redirects=_MAX_REDIRECTS,
        )
        try:
            answer = await self._client.send(request, self._gate)
        except WebFailure as failure:
            raise _told(failure) from failure
        if answer.status in _GONE:
            raise ToolFailure("PAGE_NOT_FOUND", f"There is no such page: the answer is {answer.status}.")
        if not 200 <= answer.status < 300:
            raise ToolFailure(
                "PAGE_FAILED", f"The page cannot be read: the answer is {answer.status}{_why(answer.status)}."
            )
        if not is_text(answer.body):
            raise ToolFailure("PAGE_TYPE_UNSUPPORTED", "What came is no text, whatever its type says.")
        return answer

    async def _read(self, answer: WebAnswer, media_type: str) -> ReadPage:
        if media_type not in HTML_TYPES or not answer.body.strip():
            return ReadPage("", decoded(answer.body, answer.charset))
        try:
            return await self._reader.read(answer.body, answer.charset, answer.url)
        except PageUnreadable as error:
            raise ToolFailure(
                "PAGE_TOO_LARGE", "The page is too much for the reader, or no HTML that can be read."
            ) from error


def _told(failure: WebFailure) -> ToolFailure:
    reason = _REASONS[failure.fault]
    if failure.fault is WebFault.REFUSED:
        return invalid_arguments(reason, failure.message)
    status = ToolStatus.TIMEOUT if failure.fault is WebFault.TIMEOUT else ToolStatus.ERROR
    return ToolFailure(reason, failure.message, status=status)


def _why(status: int) -> str:
    if status in {401, 402, 403, 407, 451}:
        return ", which means that not everybody may read it"
    return ", which means that it was asked too often" if status == 429 else ""
