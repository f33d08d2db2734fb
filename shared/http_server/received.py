"""A request that came, as its handler sees it."""

from __future__ import annotations

from shared.http_server.head import Head
from shared.http_server.incoming import Incoming
from shared.http_server.limits import Limits
from shared.http_server.refusals import Refusal, refusal


class Received(Head):
    """A request that came. Implements `exchange.Request`.

    Attributes:
        peer: See Request.
        incoming: The body, where it did not come whole with the head.
        whole: The body that is there; empty where there is none.
    """

    __slots__ = ("incoming", "peer", "whole")

    def __init__(self, data: bytes, limits: Limits, peer: str) -> None:
        """Reads the head; see Head."""
        super().__init__(data, limits)
        self.peer = peer
        self.incoming: Incoming | None = None
        self.whole = b""

    async def body(self, most_bytes: int) -> bytes:
        """See Request."""
        if self.length > most_bytes or len(self.whole) > most_bytes:
            raise refusal(Refusal.BODY_TOO_LARGE)
        if self.incoming is not None:
            return await self.incoming.read(most_bytes)
        # Not kept for as long as the reply may take.
        whole, self.whole = self.whole, b""
        return whole
