"""Embeddings through the provider router."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from orchestrator.adapters.chat_proto import data_class_of
from orchestrator.adapters.connection_patience import connected
from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.ports.embedder import Vector
from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from shared.client import translated_errors

TIMEOUT_S = 15.0
MOST_INPUTS = 256


class GrpcEmbedder:
    """`Embedder` over one channel, with the router's configured embedding model."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = router_pb2_grpc.RouterServiceStub(channel)

    async def embed(self, texts: Sequence[str], routing: Routing = DEFAULT_ROUTING) -> list[Vector]:
        """See `Embedder.embed`."""
        vectors: list[Vector] = []
        await connected(self._channel, TIMEOUT_S)
        for start in range(0, len(texts), MOST_INPUTS):
            request = pb.EmbedRequest(
                inputs=texts[start : start + MOST_INPUTS],
                data_class=data_class_of(routing),
                residency=routing.residency,
            )
            async with translated_errors("router"):
                response = await self._stub.Embed(request, timeout=TIMEOUT_S)
            vectors.extend(tuple(embedding.values) for embedding in response.embeddings)
        return vectors
