"""Makes text of web pages."""

from __future__ import annotations

from typing import Protocol

from tool_executor.domain.web_page import ReadPage


class PageReader(Protocol):
    """Reads HTML that nobody vouches for."""

    async def read(self, html: bytes, charset: str, url: str) -> ReadPage:
        """Return what people read of the page `html`, which came from `url` with `charset`, or none, as told.

        Raises:
            PageUnreadable: when it is too much for the reader.
            UpstreamDown: with reason PAGE_READER_UNAVAILABLE when no page can be read now.
        """
        ...
