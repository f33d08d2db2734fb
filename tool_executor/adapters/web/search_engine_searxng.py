"""Searches with a SearXNG server (https://docs.searxng.org/dev/search_api.html) that has its JSON format enabled."""

from __future__ import annotations

from urllib.parse import urlencode

from yarl import URL

from tool_executor.adapters.web.search_exchange import MAX_BYTES, asked, list_in, rows_in
from tool_executor.adapters.web.web_gate_own import OwnServerWebGate
from tool_executor.domain.web_exchange import WebRequest
from tool_executor.domain.web_search import Recency, SearchFound, SearchQuestion, answer_of, hit_of
from tool_executor.ports.web_client import WebClient

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_REFUSAL = "Its operator adds `json` to `search.formats` in its settings.yml, and lets this host through its limiter."


class SearxngSearchEngine:
    """Asks one server, which may be of a private network: its operator wrote it into the settings.

    Args:
        client: asks.
        url: of the server, for example `http://127.0.0.1:8888`.

    Raises:
        WebFailure: when `url` is none.
    """

    def __init__(self, client: WebClient, url: str) -> None:
        self._client = client
        self._gate = OwnServerWebGate(url)
        self._url = str(URL(url) / "search")

    async def search(self, question: SearchQuestion, timeout_s: float) -> SearchFound:
        """Return what is found. See the port."""
        asks = {"q": question.query, "format": "json"}
        if question.recency is not Recency.ANY:
            asks["time_range"] = question.recency.value
        # By POST: a query of 400 characters may be thousands in an address.
        request = WebRequest(
            self._url, timeout_s, MAX_BYTES, method="POST", headers=_FORM, body=urlencode(asks).encode()
        )
        found = await asked(self._client, request, self._gate, refusal=_REFUSAL)
        hits = (
            hit_of(
                title=row.get("title"),
                url=row.get("url"),
                snippet=row.get("content"),
                source=row.get("engine"),
                published=row.get("publishedDate"),
            )
            for row in rows_in(found.get("results"))
        )
        # Newer servers give objects, older ones texts.
        first = list_in(found.get("answers"))[:1]
        told = [row.get("answer") for row in rows_in(first)] or first
        answer = answer_of(told[0]) if told else ""
        return SearchFound(tuple(hit for hit in hits if hit)[: question.count], answer)
