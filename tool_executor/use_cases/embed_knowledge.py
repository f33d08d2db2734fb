"""Turns texts into vectors that compare with those that an organisation has."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import NexusError
from tool_executor.domain.knowledge_errors import model_gone
from tool_executor.ports.embedder import Embedded, Embedder

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

        Raises:
            PreconditionFailed: KNOWLEDGE_MODEL_GONE, when `model` is not offered any more.
            NexusError: with the router's reason.
        """
        try:
            return await self._embedder.embed(texts, model)
        except NexusError as error:
            if model and error.reason in _MODEL_GONE:
                raise model_gone(model, error.message) from error
            raise
