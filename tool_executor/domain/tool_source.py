"""Where tools come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceId:
    """Names a source of tools.

    Args:
        name: `builtin`, or `mcp:` and the server's name; the same as `ToolDefinition.source` of its tools.
        org_id: the organisation that alone sees its tools; empty when all do.
    """

    name: str
    org_id: str = ""


BUILTIN = SourceId("builtin")
"""The tools that Nexus ships with, for every organisation."""


@dataclass(frozen=True, slots=True)
class ToolChange:
    """What became of a source's tools.

    Args:
        added: names that are there now and were not, sorted.
        removed: names that are gone, sorted.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
