"""Texts as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from orchestrator.domain.routing import DEFAULT_ROUTING, Routing

Vector = tuple[float, ...]


class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    async def embed(self, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[Vector]:
        """Return one vector a text, in order, all of one model. Of `routing`, data class and residency count.

        Raises:
            NexusError: with the router's reason.
        """
        ...
