"""Models that are called over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from provider_router.adapters.call_meter import CallMeter
from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.chat_model_metered import MeteredChatModel
from provider_router.adapters.chat_model_openai import OpenAIChatModel
from provider_router.adapters.embedding_model_metered import MeteredEmbeddingModel
from provider_router.adapters.embedding_model_openai import OpenAIEmbeddingModel
from provider_router.adapters.http.client import HttpClient
from provider_router.domain.catalog import ModelSpec, ProviderSpec, ProviderType
from provider_router.domain.errors import Reason, failure
from provider_router.ports.chat_model import ChatModel
from provider_router.ports.credentials import Credentials
from provider_router.ports.embedding_model import EmbeddingModel
from provider_router.ports.provider_observations import ProviderObservations
from shared.clock import Clock

_ChatDialect: TypeAlias = Callable[[HttpClient, ModelSpec, str], ChatModel]
_CHAT_DIALECTS: Mapping[ProviderType, _ChatDialect] = {
    ProviderType.LOCAL: OpenAIChatModel,
    ProviderType.OPENAI_COMPATIBLE: OpenAIChatModel,
    ProviderType.ANTHROPIC: AnthropicChatModel,
}


class HttpModelSource:
    """Implements `ModelSource`. A model is made anew for each call, so it always has the key of that moment."""

    def __init__(
        self, client: HttpClient, credentials: Credentials, observations: ProviderObservations, clock: Clock
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._observations = observations
        self._clock = clock

    def chat_model(self, spec: ModelSpec) -> ChatModel:
        """The model of `spec` for chats, metered."""
        model = _CHAT_DIALECTS[spec.provider.type](self._client, spec, self._key(spec.provider))
        return MeteredChatModel(model, self._meter(spec, "chat"), self._clock)

    def embedding_model(self, spec: ModelSpec) -> EmbeddingModel:
        """The model of `spec` for embeddings, metered."""
        if spec.provider.type is ProviderType.ANTHROPIC:
            raise failure(Reason.UNSUPPORTED_CAPABILITY, f"The provider '{spec.provider.name}' has no embeddings.")
        model = OpenAIEmbeddingModel(self._client, spec, self._key(spec.provider))
        return MeteredEmbeddingModel(model, self._meter(spec, "embeddings"))

    def is_configured(self, provider: ProviderSpec) -> bool:
        """Whether the provider's key is there, or it needs none."""
        return self._credentials.key_of(provider) is not None

    def _meter(self, spec: ModelSpec, operation: str) -> CallMeter:
        return CallMeter(spec, operation, self._observations, self._clock)

    def _key(self, provider: ProviderSpec) -> str:
        key = self._credentials.key_of(provider)
        if key is None:
            what = (
                f"environment variable {provider.api_key_env}"
                if provider.api_key_env
                else "key file of the local models"
            )
            raise failure(
                Reason.PROVIDER_NOT_CONFIGURED,
                f"The provider '{provider.name}' needs a key: the {what} is not set or empty.",
                metadata={"provider": provider.name},
            )
        return key
