"""What an operator says of the web."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How far the web's tools go.

    Args:
        contact: an address of web or mail that servers are told, or nothing.
        ca_file: further certificate authorities to trust, in PEM.
        ports: those that pages are read from.
        page_bytes: most bytes of a page.
        page_load_s: longest time for fetching one.
        page_workers: most processes that read pages.
        page_read_s: longest time of one reading.
        page_memory_bytes: address space of such a process.
        search_searxng_url: of a SearXNG server; empty for none.
        search_url: where Serper, or what speaks as it does, is asked.
        search_key: its key; empty for none.
        request_hosts: hosts of the internet that `http_request` may ask.
        request_private_hosts: such ones that may be at private addresses.
        request_credentials_file: what is added to requests to some of them.
        request_bytes: most bytes of an answer.
    """

    contact: str = ""
    ca_file: Path | None = None
    ports: Sequence[int] = (80, 443)
    page_bytes: int = 3_145_728
    page_load_s: float = 20.0
    page_workers: int = 2
    page_read_s: float = 10.0
    page_memory_bytes: int = 805_306_368
    search_searxng_url: str = ""
    search_url: str = "https://google.serper.dev/search"
    search_key: str = field(default="", repr=False)
    request_hosts: Sequence[str] = ()
    request_private_hosts: Sequence[str] = ()
    request_credentials_file: Path | None = None
    request_bytes: int = 1_048_576
