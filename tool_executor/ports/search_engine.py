"""Searches the web."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.web_search import SearchFound, SearchQuestion


class SearchEngine(Protocol):
    """Finds pages."""

    async def search(self, question: SearchQuestion, timeout_s: float) -> SearchFound:
        """Return what is found within `timeout_s` seconds, the best first, at most `question.count`.

        Raises:
            ToolFailure: WEB_SEARCH_REFUSED, WEB_SEARCH_LIMITED, WEB_SEARCH_TIMEOUT or WEB_SEARCH_FAILED; never tells
                the key.
        """
        ...
