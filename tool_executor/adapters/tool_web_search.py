"""The tool `web_search`: pages that answer a question."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from shared.errors import PreconditionFailed
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.web_search import Recency, SearchFound, SearchQuestion
from tool_executor.ports.search_engine import SearchEngine

_COUNT = 5
_MARGIN_S = 1.0
_LEAST_S = 0.2
_REMEDY = (
    "Web search is not configured. The operator sets NEXUS_TOOLS_WEB_SEARCH_SEARXNG_URL to a SearXNG server, or "
    "NEXUS_TOOLS_WEB_SEARCH_KEY to a key for Serper, and starts the mesh again."
)


class WebSearchTool:
    """Asks a search engine.

    Args:
        engine: None when no engine is configured; the tool then says what to set.
    """

    def __init__(self, engine: SearchEngine | None) -> None:
        self._engine = engine
        definition = load_definition("web_search")
        if engine is None:
            definition = replace(definition, description=f"Cannot be used now. {_REMEDY} {definition.description}")
        self._definition = definition

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself, and what it lacks."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Return what is found for `arguments`.

        Raises:
            PreconditionFailed: WEB_SEARCH_NOT_CONFIGURED, with what to set.
            ToolFailure: as the port says.
        """
        if self._engine is None:
            raise PreconditionFailed("WEB_SEARCH_NOT_CONFIGURED", _REMEDY)
        question = SearchQuestion(
            " ".join(str(arguments["query"]).split()),
            cast("int", arguments.get("count", _COUNT)),
            Recency(arguments.get("recency", "any")),
        )
        found = await self._engine.search(question, max(_LEAST_S, call.timeout_s - _MARGIN_S))
        return ToolOutput(_value(found), _summary(found))


def _value(found: SearchFound) -> JsonObject:
    results = [
        {
            "title": hit.title,
            "url": hit.url,
            "snippet": hit.snippet,
            "source": hit.source,
            "published": hit.published,
        }
        for hit in found.hits
    ]
    return {"results": results, "answer": found.answer}


def _summary(found: SearchFound) -> str:
    if not found.hits:
        return "Nothing was found. Try other words."
    lines = [f"{place}. {hit.title} - {hit.url}" for place, hit in enumerate(found.hits, 1)]
    return "\n".join([*([found.answer] if found.answer else []), *lines])
