"""The tools, and the doing of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.mcp_server.domain.offer import OfferPage
from gateway.mcp_server.domain.tool_outcome import ToolOutcome


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call of a tool.

    Attributes:
        name: The tool's.
        arguments_json: One JSON object.
        request_id: Idempotency key.
        workspace: The conversation under which tools keep what calls share; empty for this call alone.
    """

    name: str
    arguments_json: str
    request_id: str
    workspace: str


class ToolCatalogue(Protocol):
    """Knows and runs tools on behalf of the current principal."""

    async def page(self, token: str) -> OfferPage:
        """Return the tools that the caller may use, from the page of `token` on, which is empty for the first one.

        Raises:
            NexusError: Forbidden, InvalidInput for a token that is none, UpstreamDown.
        """
        ...

    async def run(self, request: ToolRequest) -> ToolOutcome:
        """Run a tool; the outcome of an equal `request_id` is returned again. Ends the call when it is cancelled.

        Raises:
            NexusError: It was not run.
        """
        ...
