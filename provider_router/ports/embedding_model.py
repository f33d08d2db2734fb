"""A model that turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provider_router.domain.calls.embedding import Embeddings


class EmbeddingModel(Protocol):
    """One embedding model of one provider. Idempotent."""

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Returns one vector of unit length a text, in the order of the texts.

        Args:
            texts: 1 to 256 texts.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        ...
