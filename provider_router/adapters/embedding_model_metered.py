"""An embedding model whose calls are measured."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.adapters.call_meter import CallMeter
from provider_router.domain.embedding import Embeddings
from provider_router.ports.embedding_model import EmbeddingModel


class MeteredEmbeddingModel:
    """Implements `EmbeddingModel` around another one."""

    def __init__(self, model: EmbeddingModel, meter: CallMeter) -> None:
        self._model = model
        self._meter = meter

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Returns one vector of unit length a text, in the order of the texts."""
        with self._meter.measured():
            embeddings = await self._model.embed(texts)
        self._meter.used(embeddings.usage)
        return embeddings
