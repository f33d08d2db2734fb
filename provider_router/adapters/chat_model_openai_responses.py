"""Chats with models that speak the Responses dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.adapters.http.call import HttpCall
from provider_router.adapters.http.chat_stream import Terms, stream_answer, whole_answer
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.openai_responses.decoder import ResponsesDecoder
from provider_router.adapters.openai_responses.payload import responses_body
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import ModelEvent
from provider_router.domain.contracts.dialect import Dialect
from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service


class ResponsesChatModel:
    """Implements `ChatModel`. `key` is sent as bearer token; empty for none."""

    def __init__(self, client: HttpClient, service: Service, target: Target, key: str) -> None:
        self._client = client
        self._service = service
        self._url = f"{target.deployment.chat_url}/responses"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def stream(self, request: ChatRequest, limits: CallLimits | None = None) -> AsyncGenerator[ModelEvent, None]:
        """Answers a chat, piece by piece or whole."""
        provider, thinks, body = self._service.provider, request.reasoning, responses_body(self._service, request)
        call = HttpCall(provider.name, self._url, self._headers, body, provider.is_private)
        decoder = ResponsesDecoder(provider.name)
        terms = Terms(limits, request.speaks(Dialect.OPENAI_RESPONSES), thinks is not None and thinks.shown)
        if request.whole:
            return whole_answer(self._client, call, decoder.whole, terms)
        return stream_answer(self._client, call, decoder, terms)
