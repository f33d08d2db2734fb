"""Artifacts through the artifact service."""

from __future__ import annotations

import grpc

from gateway.mcp_server.domain.artifact import Artifact, ArtifactPage
from protos.gen.nexus.artifacts.v1 import artifacts_pb2, artifacts_pb2_grpc
from shared.client import translated_errors

_PAGE = 100
_PIECE_BYTES = 4 * 1024 * 1024
_PEER = "artifacts"


class GrpcArtifactShelf:
    """`ArtifactShelf` over one channel, which carries the current principal."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = artifacts_pb2_grpc.ArtifactServiceStub(channel)

    async def page(self, token: str, run_id: str = "") -> ArtifactPage:
        """See `ArtifactShelf.page`."""
        request = artifacts_pb2.ListArtifactsRequest(run_id=run_id, page_size=_PAGE, page_token=token)
        async with translated_errors(_PEER):
            reply: artifacts_pb2.ListArtifactsResponse = await self._stub.ListArtifacts(request)
        return ArtifactPage(tuple(_artifact(each) for each in reply.artifacts), reply.next_page_token)

    async def find(self, artifact_id: str) -> Artifact:
        """See `ArtifactShelf.find`."""
        request = artifacts_pb2.GetArtifactRequest(artifact_id=artifact_id)
        async with translated_errors(_PEER):
            reply: artifacts_pb2.GetArtifactResponse = await self._stub.GetArtifact(request)
        return _artifact(reply.artifact)

    async def piece(self, artifact_id: str, offset: int) -> bytes:
        """See `ArtifactShelf.piece`."""
        request = artifacts_pb2.ReadArtifactRequest(artifact_id=artifact_id, offset=offset, length=_PIECE_BYTES)
        async with translated_errors(_PEER):
            reply: artifacts_pb2.ReadArtifactResponse = await self._stub.ReadArtifact(request)
        return reply.data


def _artifact(message: artifacts_pb2.Artifact) -> Artifact:
    return Artifact(message.artifact_id, message.name, message.media_type, message.size_bytes)
