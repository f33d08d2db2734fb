"""Reads pages until its service leaves.

Arguments: the address space in bytes. A question is `{"charset", "url"}` with the page; the answer is
`{"title", "text", "links": [[text, url], ...]}` or `{"unreadable": true}`.
"""

from __future__ import annotations

import sys

from shared.worker.frames import Message
from shared.worker.serve import limit_process, serve
from tool_executor.adapters.page_worker.extract import read


def _reply(request: Message, html: bytes) -> Message:
    try:
        page = read(html, str(request["charset"]), str(request["url"]))
    except (ValueError, MemoryError, RecursionError):
        return {"unreadable": True}
    return {"title": page.title, "text": page.text, "links": [[link.text, link.url] for link in page.links]}


def main() -> None:
    """Serve until the service has left."""
    limit_process(int(sys.argv[1]))
    serve(_reply)


if __name__ == "__main__":
    main()
