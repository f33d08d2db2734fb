"""The tool `knowledge_search`: passages of what the organisation knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.knowledge import KnowledgeHit
from tool_executor.domain.output_limit import encode
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.use_cases.search_passages import SearchPassages

_LIMIT = 5
_SUMMARY_CHARS = 6_000
_EMPTY = (
    "The organisation's knowledge is empty. Somebody with the role of an operator adds to it with `nexus knowledge put "
    "SOURCE FILE.txt`."
)


class KnowledgeSearchTool:
    """Asks the knowledge of the caller's organisation.

    Args:
        search: finds passages.
        output_limit_bytes: most bytes of output as JSON; the farthest passages are left out until it fits.
    """

    def __init__(self, search: SearchPassages, *, output_limit_bytes: int) -> None:
        self._search = search
        self._output_limit_bytes = output_limit_bytes
        self._definition = load_definition("knowledge_search")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Return what is found for `arguments`.

        Raises:
            NexusError: as the use case says.
        """
        source = str(arguments.get("source", ""))
        found = await self._search(
            call.principal, str(arguments["query"]), source=source, limit=cast("int", arguments.get("limit", _LIMIT))
        )
        if found.is_empty:
            return ToolOutput({"passages": []}, _EMPTY)
        if not found.hits:
            return ToolOutput({"passages": []}, f"There is no source {source!r}, or nothing in it.")
        hits = list(found.hits)
        while len(hits) > 1 and len(encode(_value(hits)).encode()) > self._output_limit_bytes:
            hits.pop()
        return ToolOutput(_value(hits), _summary(hits, len(found.hits) - len(hits)))


def _value(hits: Sequence[KnowledgeHit]) -> dict[str, object]:
    return {
        "passages": [
            {
                "text": hit.passage.text,
                "source": hit.source,
                "title": hit.passage.title,
                "url": hit.passage.url,
                "score": round(hit.score, 4),
            }
            for hit in hits
        ]
    }


def _summary(hits: Sequence[KnowledgeHit], left_out: int) -> str:
    most = _SUMMARY_CHARS // len(hits)
    told = [
        f"[{place}] {hit.source}{f', {hit.passage.title}' if hit.passage.title else ''}:\n{hit.passage.text[:most]}"
        for place, hit in enumerate(hits, 1)
    ]
    rest = [f"{left_out} more did not fit; ask for fewer, or of one source."] if left_out else []
    return "\n\n".join([*told, *rest])
