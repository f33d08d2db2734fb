"""Texts as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Vector = tuple[float, ...]


class Embedder(Protocol):
    """Turns texts into vectors of unit length."""

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector a text, in order, all of one model.

        Raises:
            NexusError: with the router's reason.
        """
        ...
