"""Chats with models that speak the Anthropic dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.adapters.anthropic.decoder import AnthropicDecoder
from provider_router.adapters.anthropic.payload import messages_body
from provider_router.adapters.http.chat_stream import stream_answer
from provider_router.adapters.http.client import HttpCall, HttpClient
from provider_router.domain.catalog import ModelSpec
from provider_router.domain.chat import ChatRequest
from provider_router.domain.events import ModelEvent

_API_VERSION = "2023-06-01"


class AnthropicChatModel:
    """Implements `ChatModel`. `key` is sent as `x-api-key`; empty for none."""

    def __init__(self, client: HttpClient, spec: ModelSpec, key: str) -> None:
        self._client = client
        self._spec = spec
        self._headers = {"anthropic-version": _API_VERSION} | ({"x-api-key": key} if key else {})

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece."""
        provider = self._spec.provider
        call = HttpCall(
            provider=provider.name,
            # The official address has no version in it; one that has is taken too.
            url=f"{provider.chat_url.removesuffix('/v1')}/v1/messages",
            headers=self._headers,
            body=messages_body(self._spec, request),
        )
        return stream_answer(self._client, call, AnthropicDecoder(provider.name))
