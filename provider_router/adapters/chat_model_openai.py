"""Chats with models that speak the OpenAI dialect, the local one included."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.adapters.http.chat_stream import stream_answer
from provider_router.adapters.http.client import HttpCall, HttpClient
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.adapters.openai.payload import chat_body
from provider_router.domain.catalog import ModelSpec
from provider_router.domain.chat import ChatRequest
from provider_router.domain.events import ModelEvent


class OpenAIChatModel:
    """Implements `ChatModel`. `key` is sent as bearer token; empty for none."""

    def __init__(self, client: HttpClient, spec: ModelSpec, key: str) -> None:
        self._client = client
        self._spec = spec
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece."""
        provider = self._spec.provider
        call = HttpCall(
            provider=provider.name,
            url=f"{provider.chat_url}/chat/completions",
            headers=self._headers,
            body=chat_body(self._spec, request),
        )
        return stream_answer(self._client, call, OpenAIDecoder(provider.name))
