"""Turns texts into vectors that compare with those that an organisation has."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import NexusError
from tool_executor.domain.knowledge_errors import model_gone
from tool_executor.ports.embedder import Embedded, Embedder, Vector
from tool_executor.use_cases.embed_fitting import embed_fitting

_AT_ONCE = 16
"""Few enough for a busy machine without a graphics card to embed in time."""
_MODEL_GONE = frozenset(
    {"MODEL_UNKNOWN", "UNSUPPORTED_CAPABILITY", "PROVIDER_NOT_CONFIGURED", "PROVIDER_MODEL_MISSING"}
)
"""The router's reasons that only another configuration changes."""


class EmbedKnowledge:
    """Asks for the model that made the vectors that are there; where there are none, for the configured one."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def __call__(self, texts: Sequence[str], model: str) -> Embedded:
        """Return a vector for each text, in order, by `model`; empty for the configured one.

        Texts that the model has no room for are compared by their start.

        Raises:
            PreconditionFailed: KNOWLEDGE_MODEL_GONE, when `model` is not offered any more.
            NexusError: with the router's reason.
        """
        vectors: list[Vector] = []
        now = model
        try:
            for start in range(0, len(texts), _AT_ONCE):
                part = await embed_fitting(self._embedder, texts[start : start + _AT_ONCE], now)
                now = part.model
                vectors.extend(part.vectors)
        except NexusError as error:
            if model and error.reason in _MODEL_GONE:
                raise model_gone(model, error.message) from error
            raise
        return Embedded(now, vectors)
