"""Puts the tools of the web together: they share one client and one reader of pages."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from shared.clock import Clock
from shared.errors import PreconditionFailed
from shared.net.lookup import NameThreads
from tool_executor.adapters.page_reader_process import ProcessPageReader
from tool_executor.adapters.tool_http_request import HttpRequestTool
from tool_executor.adapters.tool_load_web_page import LoadWebPageTool
from tool_executor.adapters.tool_web_search import WebSearchTool
from tool_executor.adapters.web.credentials_yaml import load_credentials
from tool_executor.adapters.web.search_engine_searxng import SearxngSearchEngine
from tool_executor.adapters.web.search_engine_serper import SerperSearchEngine
from tool_executor.adapters.web.web_client_aiohttp import AiohttpWebClient
from tool_executor.adapters.web.web_gate_listed import HostList
from tool_executor.adapters.web.web_gate_public import PublicWebGate
from tool_executor.adapters.web.web_gate_robots import RobotsWebGate
from tool_executor.domain.host_pattern import host_patterns
from tool_executor.domain.web_exchange import WebFailure
from tool_executor.domain.web_options import WebOptions
from tool_executor.ports.search_engine import SearchEngine
from tool_executor.ports.tool import Tool


class WebTools:
    """The tools `load_web_page`, `web_search`, `http_request`. Run `retire_idle` beside them; call `stop` at the end.

    Raises:
        PreconditionFailed: WEB_SETTINGS_INVALID or HTTP_CREDENTIALS_INVALID when the options cannot be used.
    """

    def __init__(self, options: WebOptions, clock: Clock) -> None:
        self._names = NameThreads()
        if options.ca_file and not options.ca_file.is_file():
            raise _invalid("The file of certificate authorities is not there.")
        client = AiohttpWebClient(_user_agent(options.contact), self._names, ca_file=options.ca_file)
        self._reader = ProcessPageReader(
            workers=options.page_workers, timeout_s=options.page_read_s, memory_bytes=options.page_memory_bytes
        )
        gate = RobotsWebGate(PublicWebGate(frozenset(options.ports)), client, clock)
        self._options, self._client, self._gate = options, client, gate
        self._engine, self._hosts = _engine(options, client), _hosts(options)

    @property
    def tools(self) -> Sequence[Tool]:
        """The tools, made anew from their definitions as they stand on disk."""
        options, client = self._options, self._client
        return (
            LoadWebPageTool(client, self._gate, self._reader, load_s=options.page_load_s, max_bytes=options.page_bytes),
            WebSearchTool(self._engine),
            HttpRequestTool(client, self._hosts, max_bytes=options.request_bytes),
        )

    async def retire_idle(self) -> None:
        """End processes that have had no work for a while, until cancelled."""
        await self._reader.retire_idle()

    async def stop(self) -> None:
        """End all processes and threads."""
        await self._reader.stop()
        self._names.stop()


def _user_agent(contact: str) -> str:
    name = f"Nexus/{version('nexus-mesh')}"
    return f"{name} (+{contact})" if contact else name


def _engine(options: WebOptions, client: AiohttpWebClient) -> SearchEngine | None:
    if options.search_searxng_url and options.search_key:
        raise _invalid(
            "Two search engines are configured: set the URL of a SearXNG server or the key for Serper, not both."
        )
    try:
        if options.search_searxng_url:
            return SearxngSearchEngine(client, options.search_searxng_url)
        if options.search_key:
            if not options.search_key.isascii() or not options.search_key.isprintable():
                raise _invalid("The key for web search has characters that no header may have.")
            return SerperSearchEngine(client, options.search_url, options.search_key)
    except WebFailure as failure:
        raise _invalid(f"The search engine's address cannot be used. {failure.message}") from failure
    return None


def _hosts(options: WebOptions) -> HostList:
    try:
        public, private = host_patterns(options.request_hosts), host_patterns(options.request_private_hosts)
    except ValueError as error:
        raise _invalid(f"A host for HTTP requests cannot be used: {error}.") from error
    file = options.request_credentials_file
    return HostList(public, private, load_credentials(file) if file else ())


def _invalid(message: str) -> PreconditionFailed:
    return PreconditionFailed("WEB_SETTINGS_INVALID", message)
