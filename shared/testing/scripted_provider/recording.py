"""What the provider saw: requests, clients that left, requests still in work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from shared.testing.scripted_provider.request import ProviderRequest


@dataclass(slots=True)
class Recording:
    """Grows with each request. Tests read it and wait on it.

    Attributes:
        requests: Chat requests, in the order of their arrival.
        embeddings: Embedding requests, in the order of their arrival.
        disconnects: How many clients left before their response was complete.
        in_flight: Chat requests that are being answered.
        most_in_flight: The highest `in_flight` so far.
    """

    requests: list[ProviderRequest] = field(default_factory=list[ProviderRequest])
    embeddings: list[ProviderRequest] = field(default_factory=list[ProviderRequest])
    disconnects: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def began(self, request: ProviderRequest) -> None:
        """Note a chat request."""
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._wake()

    def ended(self, *, disconnected: bool) -> None:
        """Note that a chat request is over."""
        self.in_flight -= 1
        self.disconnects += disconnected
        self._wake()

    async def wait_for_requests(self, count: int, timeout_s: float = 10.0) -> None:
        """Return once that many chat requests have arrived. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while len(self.requests) < count:
                await self._changed.wait()

    async def wait_for_disconnects(self, count: int, timeout_s: float = 10.0) -> None:
        """Return once that many clients have left early. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.disconnects < count:
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
