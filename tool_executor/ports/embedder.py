"""Texts as vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of unit length, one a text, and the model that made them: those of two models do not compare."""

    model: str
    vectors: Sequence[Vector]


class Embedder(Protocol):
    """Turns texts into vectors, as the principal of the work at hand."""

    async def embed(self, texts: Sequence[str], model: str = "") -> Embedded:
        """Return a vector for each text, in order, by `model` or else by the configured one.

        Raises:
            NexusError: with the router's reason.
        """
        ...
