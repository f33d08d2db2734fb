"""A long-lived program, for example an MCP server that speaks over its standard streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LongProgram:
    """What to start.

    Attributes:
        argv: its command line, the program first.
        environment: added to the image's; values are secrets.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
