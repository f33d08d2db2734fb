"""Searches with Serper, or a server that speaks as it does (https://serper.dev): JSON by POST, a key in `X-API-KEY`."""

from __future__ import annotations

from typing import cast

import orjson

from tool_executor.adapters.web.search_exchange import MAX_BYTES, asked, rows_in
from tool_executor.adapters.web.web_gate_own import OwnServerWebGate
from tool_executor.domain.web_exchange import WebRequest
from tool_executor.domain.web_search import Recency, SearchFound, SearchQuestion, answer_of, hit_of
from tool_executor.ports.web_client import WebClient

_AGES = {Recency.DAY: "qdr:d", Recency.WEEK: "qdr:w", Recency.MONTH: "qdr:m", Recency.YEAR: "qdr:y"}


class SerperSearchEngine:
    """Asks one server with one key, which nobody else is told.

    Args:
        client: asks.
        url: the address to post to.
        key: printable ASCII.

    Raises:
        WebFailure: when `url` is none.
    """

    def __init__(self, client: WebClient, url: str, key: str) -> None:
        self._client = client
        self._url = url
        self._gate = OwnServerWebGate(url)
        self._headers = {"X-API-KEY": key, "Content-Type": "application/json"}

    async def search(self, question: SearchQuestion, timeout_s: float) -> SearchFound:
        """Return what is found. See the port."""
        ask: dict[str, object] = {"q": question.query, "num": question.count}
        if question.recency in _AGES:
            ask["tbs"] = _AGES[question.recency]
        request = WebRequest(
            self._url, timeout_s, MAX_BYTES, method="POST", headers=self._headers, body=orjson.dumps(ask)
        )
        found = await asked(
            self._client, request, self._gate, refusal="The operator checks NEXUS_TOOLS_WEB_SEARCH_KEY."
        )
        hits = (
            hit_of(
                title=row.get("title"),
                url=row.get("link"),
                snippet=row.get("snippet"),
                source="google",
                published=row.get("date"),
            )
            for row in rows_in(found.get("organic"))
        )
        box = found.get("answerBox")
        told = cast("dict[str, object]", box) if isinstance(box, dict) else {}
        answer = answer_of(told.get("answer")) or answer_of(told.get("snippet"))
        return SearchFound(tuple(hit for hit in hits if hit)[: question.count], answer)
