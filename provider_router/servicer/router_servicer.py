"""Serves `nexus.router.v1.RouterService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.calls.embedding import Handling
from provider_router.ports.answer_source import AnswerSource
from provider_router.servicer import convert, convert_troubles
from provider_router.servicer.caller import current_caller
from provider_router.servicer.convert_call import chat_call
from provider_router.servicer.convert_enums import data_class_of
from provider_router.servicer.convert_provider import provider
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.embed_texts import EmbedTexts
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from shared.auth.context import current_principal

# Whose the installation is; roles give it nobody but the owner (config/policies/roles.yaml).
_READ_ALL_FILES = "configuration.read"


@dataclass(frozen=True, slots=True)
class RouterUseCases:
    """What the servicer needs. `answers` is what `complete_chat` drains."""

    complete_chat: CompleteChat
    answers: AnswerSource
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
        return convert.completion(await self._use_cases.complete_chat(_call(request, context, streamed=False)))

    async def StreamChatCompletion(
        self, request: router_pb2.StreamChatCompletionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncGenerator[router_pb2.StreamChatCompletionResponse, None]:
        """Completes a chat as a stream."""
        call = _call(request.request, context, streamed=True)
        async with aclosing(self._use_cases.answers.stream(call)) as events:
            async for event in events:
                yield convert.stream_event(event)

    async def Embed(
        self, request: router_pb2.EmbedRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.EmbedResponse:
        """Turns texts into vectors."""
        handling = Handling(data_class_of(request.data_class), frozenset(map(str.lower, request.residency)))
        embedded = await self._use_cases.embed_texts(current_caller(), request.model, list(request.inputs), handling)
        return router_pb2.EmbedResponse(
            model=embedded.model,
            embeddings=[router_pb2.Embedding(values=vector) for vector in embedded.embeddings.vectors],
            usage=convert.usage(embedded.embeddings.usage),
        )

    async def ListModels(
        self, request: router_pb2.ListModelsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.ListModelsResponse:
        """Lists the models that are configured."""
        listed = self._use_cases.list_models(current_principal().org_id)
        return router_pb2.ListModelsResponse(
            models=map(convert.model, listed.models),
            chat_chain=listed.chat_chain,
            configuration_problems=map(convert_troubles.problem, listed.troubles.problems),
            unusable=map(convert_troubles.unusable, listed.troubles.unusable),
        )

    async def ListProviders(
        self, request: router_pb2.ListProvidersRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> router_pb2.ListProvidersResponse:
        """Lists the providers and how they are."""
        principal = current_principal()
        report = self._use_cases.list_providers(principal.org_id, of_all=principal.may(_READ_ALL_FILES))
        return router_pb2.ListProvidersResponse(
            providers=map(provider, report.providers),
            config_version=report.config_version,
            config_error="; ".join(map(str, report.troubles.problems)),
            configuration_problems=map(convert_troubles.problem, report.troubles.problems),
            unusable=map(convert_troubles.unusable, report.troubles.unusable),
        )


def _call(
    request: router_pb2.ChatCompletionRequest, context: grpc.aio.ServicerContext[Any, Any], *, streamed: bool
) -> ChatCall:
    return chat_call(request, current_caller(), streamed=streamed, time_left_s=context.time_remaining())
