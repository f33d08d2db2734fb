"""Lets requests to anybody's servers on the internet through."""

from __future__ import annotations

from shared.net.address_rules import Reach, reach_said_by
from tool_executor.adapters.web.address import refused
from tool_executor.domain.web_exchange import Admission, WebAddress


class PublicWebGate:
    """Refuses by what an address says; where its name leads is checked as the connection is made.

    Args:
        ports: those that web servers are expected at.
    """

    def __init__(self, ports: frozenset[int]) -> None:
        self._ports = ports

    async def admit(self, address: WebAddress) -> Admission:
        """Return the plain admission of a public address.

        Raises:
            WebFailure: REFUSED for names and addresses of private networks, and for other ports.
        """
        if reach_said_by(address.host) is not Reach.PUBLIC:
            raise refused(f"{address.host} is of a private network, or of nobody; only the public web can be read.")
        if address.port not in self._ports:
            raise refused(f"Port {address.port} is none of the ports that pages are read from: {_listed(self._ports)}.")
        return Admission()


def _listed(ports: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(ports)))
