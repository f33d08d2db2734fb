"""Sends requests over connections of their own with aiohttp: HTTP/1.1, verified TLS, nothing kept between requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from ssl import SSLContext, create_default_context

from shared.net.address_rules import Reach, is_public, reach_of
from shared.net.lookup import AddressRule, Lookup
from tool_executor.adapters.web.address import address_of, joined
from tool_executor.domain.web_exchange import Admission, WebAddress, WebAnswer, WebFailure, WebFault, WebRequest
from tool_executor.ports.web_gate import WebGate

# What says nothing of who asks, so that it may follow to another origin.
_HARMLESS = frozenset({"accept", "accept-language"})


class AiohttpWebClient:
    """`WebClient` whose connections go to addresses that were checked as they are made.

    The HTTP library is loaded when it is first needed: many meshes never do.

    Args:
        user_agent: who it says that it is.
        lookup: finds the addresses of names.
        ca_file: further certificate authorities to trust, in PEM.
        public: which addresses are of the internet.
    """

    def __init__(
        self, user_agent: str, lookup: Lookup, *, ca_file: Path | None = None, public: AddressRule = is_public
    ) -> None:
        self._headers = {"User-Agent": user_agent, "Accept": "*/*"}
        self._lookup = lookup
        self._ca_file = ca_file
        self._public = public
        self._tls: SSLContext | None = None

    async def send(self, request: WebRequest, gate: WebGate) -> WebAnswer:
        """Return the answer to `request`. See the port."""
        address = address_of(request.url)
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._followed(address, request, gate)
        except TimeoutError as error:
            message = f"{address.host} did not answer whole within {request.timeout_s:g} s."
            raise WebFailure(WebFault.TIMEOUT, message) from error

    async def _followed(self, address: WebAddress, request: WebRequest, gate: WebGate) -> WebAnswer:
        from tool_executor.adapters.web.hop_aiohttp import Reachable, hop

        headers = request.headers
        for _ in range(request.max_redirects + 1):
            admission = await gate.admit(address)
            told = replace(request, headers=_merged(self._headers, headers, admission.headers))
            landed = await hop(address, told, Reachable(self._trusted(), self._rule(admission), self._lookup))
            if isinstance(landed, WebAnswer):
                return landed
            onward = joined(address, landed)
            if onward.origin != address.origin:
                headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
            address = onward
        raise WebFailure(
            WebFault.REDIRECTS, f"It is led on more than {request.max_redirects} times, lastly to {address.host}."
        )

    def _rule(self, admission: Admission) -> AddressRule:
        return _anybody if admission.may_be_private else self._public

    def _trusted(self) -> SSLContext:
        """Return whom to trust; read once, when it is first needed, since that takes 20 ms."""
        if self._tls is None:
            self._tls = create_default_context()
            if self._ca_file:
                self._tls.load_verify_locations(self._ca_file)
        return self._tls


def _anybody(address: str) -> bool:
    """Whether somebody serves others at `address`, of the internet or of a network of one's own."""
    return reach_of(address) is not Reach.NEVER


def _merged(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return all headers, whatever their case; later sources count."""
    by_name = {name.lower(): (name, value) for source in sources for name, value in source.items()}
    return dict(by_name.values())
