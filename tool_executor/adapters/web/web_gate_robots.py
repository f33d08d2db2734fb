"""Decorator of the gate: heeds robots.txt (RFC 9309), which is fetched through the same client."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from protego import Protego
from yarl import URL

from shared.clock import Clock
from tool_executor.domain.web_exchange import Admission, WebAddress, WebFailure, WebFault, WebRequest
from tool_executor.ports.web_client import WebClient
from tool_executor.ports.web_gate import WebGate

_AGENT = "Nexus"
"""The name that sites address in robots.txt."""
# At least 500 KiB must be heeded, and five redirects followed (sections 2.5 and 2.3.1.2).
_MAX_BYTES = 512 * 1024
_MAX_REDIRECTS = 5
_TIMEOUT_S = 5.0
# What would keep its pages from coming as well; whoever asks learns that rather than of robots.txt.
_OF_THE_SITE = frozenset({WebFault.REFUSED, WebFault.FAILED})
_KEPT_S = 3_600.0
_SILENT_KEPT_S = 60.0
_KEPT_SITES = 500
_KEPT_CHARS = 8_000_000


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a site says; None when it cannot be asked, which counts as a no (section 2.3.1.4)."""

    text: str | None
    until_s: float


class RobotsWebGate:
    """Admits what the inner gate admits and the site lets programs fetch.

    Rules are kept for an hour, a site's silence for a minute; at most 500 sites' and 8 million characters.

    Args:
        inner: is asked first.
        client: fetches the rules.
        clock: measures how long they are kept.
    """

    def __init__(self, inner: WebGate, client: WebClient, clock: Clock) -> None:
        self._inner = inner
        self._client = client
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str, int], _Rules] = OrderedDict()

    async def admit(self, address: WebAddress) -> Admission:
        """Return the inner gate's admission.

        Raises:
            WebFailure: DISALLOWED when robots.txt says so or is not told; what the site, or the inner gate, fails with.
        """
        admission = await self._inner.admit(address)
        rules = await self._rules(address)
        if rules.text is None:
            raise WebFailure(
                WebFault.DISALLOWED, f"{address.host} does not tell its robots.txt, which counts as a no. Try it later."
            )
        # In a thread: half a megabyte of rules takes a while.
        if rules.text and not await asyncio.to_thread(_allows, rules.text, address.url):
            raise WebFailure(
                WebFault.DISALLOWED, f"{address.host} asks programs, in its robots.txt, not to fetch this."
            )
        return admission

    async def _rules(self, address: WebAddress) -> _Rules:
        known = self._kept.get(address.origin)
        if known is None or known.until_s <= self._clock.monotonic():
            text = await self._fetched(address)
            kept_s = _SILENT_KEPT_S if text is None else _KEPT_S
            known = self._kept[address.origin] = _Rules(text, self._clock.monotonic() + kept_s)
        self._kept.move_to_end(address.origin)
        while len(self._kept) > _KEPT_SITES or sum(len(each.text or "") for each in self._kept.values()) > _KEPT_CHARS:
            self._kept.popitem(last=False)
        return known

    async def _fetched(self, address: WebAddress) -> str | None:
        url = str(URL(address.url, encoded=True).with_path("/robots.txt"))
        request = WebRequest(url, _TIMEOUT_S, _MAX_BYTES, cuts=True, max_redirects=_MAX_REDIRECTS)
        try:
            answer = await self._client.send(request, self._inner)
        except WebFailure as failure:
            if failure.fault in _OF_THE_SITE:
                raise
            # Led on too often counts as having none (section 2.3.1.2).
            return "" if failure.fault is WebFault.REDIRECTS else None
        if 200 <= answer.status < 300:
            return answer.body.decode("utf-8", "replace")
        # Who is asked too often says nothing either.
        return None if answer.status >= 500 or answer.status == 429 else ""


def _allows(text: str, url: str) -> bool:
    return Protego.parse(text).can_fetch(url, _AGENT)
