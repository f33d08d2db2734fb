"""Lists the tools that a caller may use."""

from __future__ import annotations

from gateway.mcp_server.domain.offer import OfferPage
from gateway.mcp_server.domain.question import TOOL
from gateway.mcp_server.ports.tool_catalogue import ToolCatalogue
from shared.auth.principal import Principal

_NEEDED = ("tools.read", "tools.execute")


class ListTools:
    """Lists tools. Who may not run any is shown none: that is not an error, the agent may still be theirs."""

    def __init__(self, catalogue: ToolCatalogue) -> None:
        self._catalogue = catalogue

    async def __call__(self, caller: Principal, token: str) -> OfferPage:
        """Return the page of `token`, which is empty for the first one.

        The agent's name is its own: a tool that is called so is not offered.

        Raises:
            NexusError: InvalidInput for a token that is none, UpstreamDown.
        """
        if not all(caller.may(permission) for permission in _NEEDED):
            return OfferPage((), "")
        page = await self._catalogue.page(token)
        return OfferPage(tuple(offer for offer in page.offers if offer.name != TOOL), page.next_token)
