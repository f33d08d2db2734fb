"""Which tools fail too often to be called."""

from __future__ import annotations

from typing import Protocol

from shared.circuit_breaker import Breaker


class BreakerBoard(Protocol):
    """A circuit breaker for each organisation and tool: what one's calls break is not broken for the others."""

    def state(self, org_id: str, tool: str) -> Breaker:
        """Return whether calls of `tool` go through for `org_id`."""
        ...
