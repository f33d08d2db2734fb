"""Serves `nexus.router.v1.RouterService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from provider_router.servicer import convert
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.embed_texts import EmbedTexts
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from provider_router.use_cases.stream_chat import StreamChat


@dataclass(frozen=True, slots=True)
class RouterUseCases:
    """What the servicer needs."""

    complete_chat: CompleteChat
    stream_chat: StreamChat
    embed_texts: EmbedTexts
    list_models: ListModels
    list_providers: ListProviders


class RouterServicer(router_pb2_grpc.RouterServiceServicer):
    """Converts between the contract and the use cases, and does nothing else."""

    def __init__(self, use_cases: RouterUseCases) -> None:
        self._use_cases = use_cases

    async def ChatCompletion(
        self, request: router_pb2.ChatCompletionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.ChatCompletionResponse:
        """Completes a chat and returns the whole message."""
        chat = convert.chat_request(request)
        return convert.completion(await self._use_cases.complete_chat(request.model, chat))

    async def StreamChatCompletion(
        self, request: router_pb2.StreamChatCompletionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncGenerator[router_pb2.StreamChatCompletionResponse, None]:
        """Completes a chat as a stream."""
        chat = convert.chat_request(request.request)
        async with aclosing(self._use_cases.stream_chat(request.request.model, chat)) as events:
            async for event in events:
                yield convert.stream_event(event)

    async def Embed(
        self, request: router_pb2.EmbedRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.EmbedResponse:
        """Turns texts into vectors."""
        embedded = await self._use_cases.embed_texts(request.model, list(request.inputs))
        return router_pb2.EmbedResponse(
            model=embedded.model,
            embeddings=[router_pb2.Embedding(values=vector) for vector in embedded.embeddings.vectors],
            usage=convert.usage(embedded.embeddings.usage),
        )

    async def ListModels(
        self, request: router_pb2.ListModelsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.ListModelsResponse:
        """Lists the models that are configured."""
        return router_pb2.ListModelsResponse(models=map(convert.model, self._use_cases.list_models()))

    async def ListProviders(
        self, request: router_pb2.ListProvidersRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.ListProvidersResponse:
        """Lists the providers and how they are."""
        report = self._use_cases.list_providers()
        return router_pb2.ListProvidersResponse(
            providers=map(convert.provider, report.providers),
            config_version=report.config_version,
            config_error=report.config_error,
        )
