"""Chats with models that speak the Anthropic dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.adapters.anthropic.decoder import AnthropicDecoder
from provider_router.adapters.anthropic.payload import messages_body
from provider_router.adapters.anthropic.whole import decode_whole
from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.chat_stream import Terms, stream_answer, whole_answer
from provider_router.adapters.http.client import HttpClient
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import ModelEvent
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service

_API_VERSION = "2023-06-01"


class AnthropicChatModel:
    """Implements `ChatModel`. `key` is sent as `x-api-key`; empty for none."""

    def __init__(self, client: HttpClient, service: Service, target: Target, key: str) -> None:
        self._client = client
        self._service = service
        # The official address has no version in it; one that has is taken too.
        self._url = f"{target.deployment.chat_url.removesuffix('/v1')}/v1/messages"
        self._headers = {"anthropic-version": _API_VERSION} | ({"x-api-key": key} if key else {})

    def stream(self, request: ChatRequest, limits: CallLimits | None = None) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece, or in one where that is asked."""
        provider = self._service.provider
        relayed = request.speaks(Dialect.ANTHROPIC_MESSAGES)
        headers = {**self._headers, **dict(request.body.headers)} if relayed and request.body else self._headers
        body = messages_body(self._service, request)
        call = HttpCall(provider.name, self._url, headers, body, provider.is_private)
        thinking = request.reasoning is not None and request.reasoning.shown
        terms = Terms(limits, relayed=relayed, thinking=thinking)
        if request.whole:
            return whole_answer(self._client, call, decode_whole(provider.name), terms)
        return stream_answer(self._client, call, AnthropicDecoder(provider.name), terms)
