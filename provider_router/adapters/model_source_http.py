"""Models that are called over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.chat_model_openai import OpenAIChatModel
from provider_router.adapters.chat_model_openai_responses import ResponsesChatModel
from provider_router.adapters.embedding_model_openai import OpenAIEmbeddingModel
from provider_router.adapters.http.client import HttpClient
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.dialect import UNSERVED_BY_DIALECT
from provider_router.domain.contracts.provider import ProviderSpec, ProviderType, Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason, failure
from provider_router.ports.chat_model import ChatModel
from provider_router.ports.credentials import Credentials
from provider_router.ports.embedding_model import EmbeddingModel

_ChatDialect: TypeAlias = Callable[[HttpClient, Service, Target, str], ChatModel]
_CHAT_DIALECTS: Mapping[ProviderType, _ChatDialect] = {
    ProviderType.LOCAL: OpenAIChatModel,
    ProviderType.OPENAI_COMPATIBLE: OpenAIChatModel,
    ProviderType.ANTHROPIC: AnthropicChatModel,
    ProviderType.OPENAI_RESPONSES: ResponsesChatModel,
}


class HttpModelSource:
    """Implements `ModelSource`. A model is made anew for each call, so it always has the key of that moment."""

    def __init__(self, client: HttpClient, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    def chat_model(self, service: Service, target: Target) -> ChatModel:
        """The model of `service` for chats, called at `target`."""
        return _CHAT_DIALECTS[service.provider.type](self._client, service, target, self._key(target))

    def embedding_model(self, service: Service, target: Target) -> EmbeddingModel:
        """The model of `service` for embeddings, called at `target`."""
        if Operation.EMBED in UNSERVED_BY_DIALECT[service.provider.type]:
            raise failure(Reason.UNSUPPORTED_CAPABILITY, f"The provider '{service.provider.name}' has no embeddings.")
        return OpenAIEmbeddingModel(self._client, service, target, self._key(target))

    def is_configured(self, provider: ProviderSpec) -> bool:
        """Whether a key of the provider is there, or a deployment of it needs none."""
        return any(self._credentials.key_of(target) is not None for target in provider.targets())

    def _key(self, target: Target) -> str:
        key = self._credentials.key_of(target)
        if key is None:
            what = f"environment variable {target.key_env}" if target.key_env else "key file of the local models"
            raise failure(
                Reason.PROVIDER_NOT_CONFIGURED,
                f"The provider '{target.provider.name}' needs a key: the {what} is not set or empty.",
                metadata={"provider": target.provider.name},
            )
        return key
