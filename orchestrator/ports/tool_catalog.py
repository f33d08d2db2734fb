"""Which tools may be called."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.tools import Origin, Tool


class ToolCatalog(Protocol):
    """Lists the tools that the principal at work may use: enabled, and blocked by no scope and no policy."""

    async def tools(self, origin: Origin) -> tuple[Tool, ...]:
        """Return the tools by name. At most a second old.

        Raises:
            UpstreamDown: when the tool executor does not answer.
        """
        ...

    async def fitting(self, origin: Origin, question: str, most: int) -> tuple[Tool, ...]:
        """Return at most `most` of them, those that fit the question best, the best first.

        Raises:
            UpstreamDown: when the tool executor does not answer.
        """
        ...
