"""Embeddings through the provider router."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from shared.client import translated_errors
from shared.errors import UpstreamDown
from tool_executor.ports.embedder import Embedded, Vector

_TIMEOUT_S = 20.0
_MOST_INPUTS = 64
"""In one call, so that a slow model still answers each in time."""


class GrpcEmbedder:
    """Implements `Embedder` over a channel to the router, which asks for the caller's `models.use`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = router_pb2_grpc.RouterServiceStub(channel)

    async def embed(self, texts: Sequence[str], model: str = "") -> Embedded:
        """Return a vector for each text, in order.

        Raises:
            UpstreamDown: when the router is away, or answers with other vectors than it was asked for.
            NexusError: with the router's reason.
        """
        vectors: list[Vector] = []
        for start in range(0, len(texts), _MOST_INPUTS):
            inputs = texts[start : start + _MOST_INPUTS]
            async with translated_errors("router"):
                request = router_pb2.EmbedRequest(inputs=inputs, model=model)
                reply: router_pb2.EmbedResponse = await self._stub.Embed(request, timeout=_TIMEOUT_S)
            if len(reply.embeddings) != len(inputs) or (model and reply.model != model):
                raise UpstreamDown("EMBEDDING_ANSWER_BROKEN", "The router gave other vectors than it was asked for.")
            model = reply.model
            vectors.extend(tuple(each.values) for each in reply.embeddings)
        return Embedded(model, vectors)
