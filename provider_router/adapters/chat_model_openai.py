"""Chats with models that speak the OpenAI dialect, the local one included."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.chat_stream import Terms, stream_answer, whole_answer
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.openai.decoder import OpenAIDecoder
from provider_router.adapters.openai.payload import chat_body, tells_usage
from provider_router.adapters.openai.whole import decode_whole
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import ModelEvent
from provider_router.domain.contracts.dialect import Dialect
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
        """Answers a chat, piece by piece, or in one where that is asked."""
        provider, body = self._service.provider, chat_body(self._service, request)
        call = HttpCall(provider.name, self._url, self._headers, body, provider.is_private)
        terms = Terms(
            limits,
            relayed=request.speaks(Dialect.OPENAI_CHAT),
            thinking=request.reasoning is not None and request.reasoning.shown,
        )
        if request.whole:
            return whole_answer(self._client, call, decode_whole(provider.name), terms)
        told = not terms.relayed or tells_usage(request)
        decoder = OpenAIDecoder(provider.name, tells_usage=told, choices=request.choices)
        return stream_answer(self._client, call, decoder, terms)
