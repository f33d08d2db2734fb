"""Turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.embedding import Embeddings
from provider_router.ports.model_source import ModelSource
from provider_router.ports.provider_catalog import ProviderCatalog


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """The vectors and the `provider/model` that made them."""

    model: str
    embeddings: Embeddings


class EmbedTexts:
    """Embeds with one model. It never falls back: vectors of different models cannot be compared."""

    def __init__(self, catalog: ProviderCatalog, models: ModelSource) -> None:
        self._catalog = catalog
        self._models = models

    async def __call__(self, model: str, texts: Sequence[str]) -> EmbeddedTexts:
        """Embeds `texts`.

        Args:
            model: `provider/model`, or empty for the configured one.
            texts: 1 to 256 texts.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        spec = self._catalog.current().catalog.embedding_model(model)
        return EmbeddedTexts(spec.full_name, await self._models.embedding_model(spec).embed(texts))
