"""The models as the provider router lists them."""

from __future__ import annotations

import grpc

from orchestrator.domain.chat import ModelInfo
from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from shared.client import translated_errors

TIMEOUT_S = 5.0


class GrpcModelCatalog:
    """`ModelCatalog` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = router_pb2_grpc.RouterServiceStub(channel)

    async def models(self, *, anew: bool = False) -> tuple[ModelInfo, ...]:
        """See `ModelCatalog.models`. Always read anew."""
        del anew
        async with translated_errors("router"):
            response = await self._stub.ListModels(pb.ListModelsRequest(), timeout=TIMEOUT_S)
        chain = frozenset(response.chat_chain)
        return tuple(
            ModelInfo(
                name=model.name,
                chat=model.chat,
                embeddings=model.embeddings,
                tool_calling=model.tool_calling,
                context_length=model.context_length,
                demonstration=model.demonstration,
                routable=model.configured and (not chain or model.name in chain),
            )
            for model in response.models
        )
