"""Lets requests to the hosts through that an operator lists, with the credentials that were laid down for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tool_executor.adapters.web.address import refused
from tool_executor.domain.host_pattern import HostPattern
from tool_executor.domain.http_credential import HttpCredential
from tool_executor.domain.web_exchange import Admission, WebAddress

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class HostList:
    """What the operator listed.

    Args:
        public: hosts of the internet, over https alone.
        private: hosts that may be at private addresses, over http too.
        credentials: what is added to requests to some of them.
    """

    public: Sequence[HostPattern] = ()
    private: Sequence[HostPattern] = ()
    credentials: Sequence[HttpCredential] = ()

    def __bool__(self) -> bool:
        return bool(self.public or self.private)

    def __str__(self) -> str:
        names = [str(pattern) for pattern in (*self.public, *self.private)]
        return ", ".join([*names[:_SHOWN], *([f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])])


class ListedWebGate:
    """Admits the listed hosts.

    Args:
        hosts: the list.
        org_id: whose request it is.
    """

    def __init__(self, hosts: HostList, org_id: str) -> None:
        self._hosts = hosts
        self._org_id = org_id

    async def admit(self, address: WebAddress) -> Admission:
        """Return the admission of a listed host, with its credentials.

        Raises:
            WebFailure: REFUSED for every other one, and for http to a host of the internet.
        """
        may_be_private = any(pattern.fits(address) for pattern in self._hosts.private)
        if not may_be_private:
            if not any(pattern.fits(address) for pattern in self._hosts.public):
                raise refused(
                    f"{address.host}:{address.port} is not on the operator's list of hosts. Listed are: {self._hosts}."
                )
            if address.scheme != "https":
                raise refused(f"{address.host} is asked over https alone.")
        headers: dict[str, str] = {}
        for credential in self._hosts.credentials:
            if credential.serves(address, self._org_id):
                headers |= credential.headers
        return Admission(may_be_private, headers)
