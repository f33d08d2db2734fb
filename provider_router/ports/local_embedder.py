"""Vectors for the router's own work: to estimate tasks, and to find answers to requests of the same meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class LocalEmbedder(Protocol):
    """Embeds on the operator's own machines, and nowhere else.

    The texts are seen before it was decided who may see them. What it does is in nobody's ledger.
    """

    def model(self) -> str:
        """Which model would embed now; empty when none may. Vectors of two names cannot be compared."""
        ...

    async def embed(self, texts: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Returns one vector of unit length a text, in the order of the texts. Idempotent.

        Args:
            texts: 1 to 256 texts, none empty.

        Raises:
            NexusError: NO_MODEL_CONFIGURED when no model may, or why it did not work, with a reason of `domain.errors`.
        """
        ...
