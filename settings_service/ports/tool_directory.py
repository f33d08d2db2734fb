"""Which tools there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ToolSummary:
    """A tool's name and what it does."""

    name: str
    description: str


class ToolDirectory(Protocol):
    """Knows the tools."""

    async def list(self) -> Sequence[ToolSummary]:
        """Return the tools, by name.

        Raises:
            UpstreamDown: when the tool executor does not answer.
        """
        ...
