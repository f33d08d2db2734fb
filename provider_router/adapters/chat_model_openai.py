"""Chats with models that speak the OpenAI dialect, the local one included."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.chat_stream import Terms, stream_answer
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.adapters.openai.payload import chat_body
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import ModelEvent
from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service


class OpenAIChatModel:
    """Implements `ChatModel`. `key` is sent as bearer token; empty for none."""

    def __init__(self, client: HttpClient, service: Service, target: Target, key: str) -> None:
        self._client = client
        self._service = service
        self._url = f"{target.deployment.chat_url}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def stream(self, request: ChatRequest, limits: CallLimits | None = None) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece."""
        provider = self._service.provider.name
        call = HttpCall(provider, self._url, self._headers, chat_body(self._service, request))
        return stream_answer(self._client, call, OpenAIDecoder(provider), Terms(limits))
