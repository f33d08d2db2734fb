"""The models as the provider router lists them."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from orchestrator.domain.chat import Catalogue, ModelInfo
from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from shared.client import translated_errors

TIMEOUT_S = 5.0


class GrpcModelCatalog:
    """`ModelCatalog` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = router_pb2_grpc.RouterServiceStub(channel)

    async def catalogue(self, *, anew: bool = False) -> Catalogue:
        """See `ModelCatalog.catalogue`. Always read anew."""
        del anew
        async with translated_errors("router"):
            response = await self._stub.ListModels(pb.ListModelsRequest(), timeout=TIMEOUT_S)
        chain = frozenset(response.chat_chain)
        return Catalogue(tuple(_info(model, chain) for model in response.models), tuple(_troubles(response)))


def _info(model: pb.Model, chain: frozenset[str]) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        chat=model.chat,
        embeddings=model.embeddings,
        tool_calling=model.tool_calling,
        context_length=model.context_length,
        demonstration=model.demonstration,
        routable=model.configured and (not chain or model.name in chain),
        free=model.free,
    )


def _troubles(response: pb.ListModelsResponse) -> Iterator[str]:
    for problem in response.configuration_problems:
        place = f"{problem.file} line {problem.line}" if problem.line else problem.file
        yield f"The newest configuration is not in force: {place}: {problem.message.rstrip('.')}."
    for each in response.unusable:
        yield f"{each.name} cannot be used. {each.reason.rstrip('.')}."
