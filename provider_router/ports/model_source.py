"""Where models that can be called come from."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.contracts.provider import ProviderSpec, Target
from provider_router.domain.contracts.service import Service
from provider_router.ports.chat_model import ChatModel
from provider_router.ports.embedding_model import EmbeddingModel


class ModelSource(Protocol):
    """Turns configured models into ones that can be called. Opens no connection."""

    def chat_model(self, service: Service, target: Target) -> ChatModel:
        """The model of `service` for chats, called at `target`.

        Raises:
            PreconditionFailed: PROVIDER_NOT_CONFIGURED, when its key is not there.
        """
        ...

    def embedding_model(self, service: Service, target: Target) -> EmbeddingModel:
        """The model of `service` for embeddings, called at `target`.

        Raises:
            PreconditionFailed: PROVIDER_NOT_CONFIGURED, when its key is not there.
            InvalidInput: UNSUPPORTED_CAPABILITY, when the provider's dialect has no embeddings.
        """
        ...

    def is_configured(self, provider: ProviderSpec) -> bool:
        """Whether a key of the provider is there, or a deployment of it needs none."""
        ...
