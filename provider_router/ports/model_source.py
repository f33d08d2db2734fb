"""Where models that can be called come from."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.catalog import ModelSpec, ProviderSpec
from provider_router.ports.chat_model import ChatModel
from provider_router.ports.embedding_model import EmbeddingModel


class ModelSource(Protocol):
    """Turns configured models into ones that can be called. Opens no connection."""

    def chat_model(self, spec: ModelSpec) -> ChatModel:
        """The model of `spec` for chats.

        Raises:
            PreconditionFailed: PROVIDER_NOT_CONFIGURED, when its key is not there.
        """
        ...

    def embedding_model(self, spec: ModelSpec) -> EmbeddingModel:
        """The model of `spec` for embeddings.

        Raises:
            PreconditionFailed: PROVIDER_NOT_CONFIGURED, when its key is not there.
            InvalidInput: UNSUPPORTED_CAPABILITY, when the provider's dialect has no embeddings.
        """
        ...

    def is_configured(self, provider: ProviderSpec) -> bool:
        """Whether the provider's key is there, or it needs none."""
        ...
