"""Lets requests to the one server through that an operator wrote into the settings."""

from __future__ import annotations

from tool_executor.adapters.web.address import address_of, refused
from tool_executor.domain.web_exchange import Admission, WebAddress


class OwnServerWebGate:
    """Admits one origin, wherever its operator runs it.

    Args:
        url: of the server.

    Raises:
        WebFailure: REFUSED when `url` is none.
    """

    def __init__(self, url: str) -> None:
        self._origin = address_of(url).origin

    async def admit(self, address: WebAddress) -> Admission:
        """Return the admission of the server.

        Raises:
            WebFailure: REFUSED for every other one.
        """
        if address.origin != self._origin:
            raise refused(f"{address.host} is another server than the one that is configured.")
        return Admission(may_be_private=True)
