"""Which tools may be called."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.tools import Tool


class ToolCatalog(Protocol):
    """Lists the tools that are enabled for the principal at work."""

    async def tools(self) -> tuple[Tool, ...]:
        """Return the tools by name. At most a second old.

        Raises:
            UpstreamDown: when the tool executor does not answer.
        """
        ...
