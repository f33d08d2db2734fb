"""Finds tools by what is wanted of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tool_executor.domain.tool_definition import ToolDefinition


@dataclass(frozen=True, slots=True)
class Match:
    """A tool's name, and the cosine of the question with the nearest of its texts, -1 to 1."""

    tool: str
    score: float


class ToolIndex(Protocol):
    """Compares questions with what tools say of themselves."""

    async def nearest(self, query: str, tools: Sequence[ToolDefinition], limit: int) -> Sequence[Match]:
        """Return at most `limit` of `tools`, the best first.

        Raises:
            UpstreamDown: when nobody can turn texts into vectors.
            Forbidden: when the caller may not use models.
        """
        ...
