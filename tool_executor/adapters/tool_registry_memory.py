"""The tools of this process, by source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from shared.errors import AlreadyExists, PreconditionFailed
from tool_executor.domain.tool_source import BUILTIN, SourceId, ToolChange
from tool_executor.ports.tool import Tool

Protect = Callable[[SourceId, Tool], Tool]
MOST_TOOLS = 1_000
"""Of one source, and of all sources together that an organisation has for itself."""


def _as_it_is(_source: SourceId, tool: Tool) -> Tool:
    return tool


class MemoryToolRegistry:
    """Implements `ToolRegistry`.

    Args:
        tools: those of `builtin` at the start.
        protect: puts around a tool what has to stand around each.

    Raises:
        NexusError: as `put`.
    """

    def __init__(self, tools: Iterable[Tool] = (), protect: Protect = _as_it_is) -> None:
        self._protect = protect
        self._sources: Mapping[SourceId, Mapping[str, Tool]] = {}
        # What each organisation sees, by name in order; the one of "" is what all see.
        self._views: dict[str, Mapping[str, Tool]] = {"": {}}
        self.put(BUILTIN, tools)

    def find(self, org_id: str, name: str) -> Tool | None:
        """Return the tool that `org_id` sees under `name`, or None."""
        return self._view(org_id).get(name)

    def all(self, org_id: str) -> Sequence[Tool]:
        """Return all tools that `org_id` sees, sorted by name."""
        return tuple(self._view(org_id).values())

    def put(self, source: SourceId, tools: Iterable[Tool]) -> ToolChange:
        """Have `source` give exactly `tools` from now on; an error changes nothing.

        Raises:
            AlreadyExists: TOOL_NAME_TAKEN.
            PreconditionFailed: TOOL_SCHEMA_INVALID, TOOLS_TOO_MANY.
        """
        given = list(tools)
        if len(given) > MOST_TOOLS:
            raise PreconditionFailed(
                "TOOLS_TOO_MANY", f"{source.name} has {len(given)} tools, more than {MOST_TOOLS}.", metadata=_of(source)
            )
        named: dict[str, Tool] = {}
        for tool in given:
            name = tool.definition.name
            if name in named:
                raise _taken(source, name, f"{source.name} itself")
            named[name] = self._protect(source, tool)
        self._require_room(source, len(named))
        self._require_free(source, named)
        return self._replace(source, named)

    def drop(self, source: SourceId) -> ToolChange:
        """Forget `source` and its tools."""
        return self._replace(source, {})

    def _view(self, org_id: str) -> Mapping[str, Tool]:
        return self._views.get(org_id) or self._views[""]

    def _require_room(self, source: SourceId, count: int) -> None:
        if not source.org_id:
            return
        others = sum(
            len(tools) for other, tools in self._sources.items() if other.org_id == source.org_id and other != source
        )
        if others + count > MOST_TOOLS:
            raise PreconditionFailed(
                "TOOLS_TOO_MANY",
                f"{source.name} has {count} tools and the organisation's other servers have {others}, together more "
                f"than {MOST_TOOLS}. Remove a server; nothing was changed.",
                metadata=_of(source),
            )

    def _require_free(self, source: SourceId, named: Mapping[str, Tool]) -> None:
        for other, tools in self._sources.items():
            seen_together = not source.org_id or other.org_id in ("", source.org_id)
            if other != source and seen_together:
                for name in named.keys() & tools.keys():
                    # What another organisation has is its own business.
                    known = not other.org_id or other.org_id == source.org_id
                    raise _taken(source, name, other.name if known else "another source")

    def _replace(self, source: SourceId, named: Mapping[str, Tool]) -> ToolChange:
        before = self._sources.get(source, {}).keys()
        sources = {other: tools for other, tools in self._sources.items() if other != source}
        if named:
            sources[source] = named
        views: dict[str, dict[str, Tool]] = {org_id: {} for org_id in ("", *(other.org_id for other in sources))}
        for other, tools in sources.items():
            for org_id, view in views.items():
                if other.org_id in ("", org_id):
                    view.update(tools)
        self._sources = sources
        self._views = {org_id: dict(sorted(view.items())) for org_id, view in views.items()}
        return ToolChange(tuple(sorted(named.keys() - before)), tuple(sorted(before - named.keys())))


def _of(source: SourceId) -> Mapping[str, str]:
    return {"source": source.name}


def _taken(source: SourceId, name: str, holder: str) -> AlreadyExists:
    return AlreadyExists(
        "TOOL_NAME_TAKEN",
        f"{source.name} gives a tool {name!r}, and so does {holder}. Rename one of them; nothing was changed.",
        metadata={**_of(source), "tool": name},
    )
