"""ArtifactService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from protos.gen.nexus.artifacts.v1 import artifacts_pb2 as pb
from protos.gen.nexus.artifacts.v1 import artifacts_pb2_grpc
from shared.auth.context import current_principal
from shared.errors import FieldViolation, InvalidInput
from tool_executor.domain.artifact import Artifact, NewArtifact
from tool_executor.ports.artifact_store import ArtifactStore
from tool_executor.use_cases.bound_result import in_chunks

_Context = grpc.aio.ServicerContext[Any, Any]
_PAGE_SIZE = 100
_READ_BYTES = 1024 * 1024


class ArtifactServicer(artifacts_pb2_grpc.ArtifactServiceServicer):
    """Serves the artifacts of each caller's organisation."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    async def CreateArtifact(self, request: pb.CreateArtifactRequest, context: _Context) -> pb.CreateArtifactResponse:
        """Store a file."""
        del context
        new = NewArtifact(request.name, request.media_type, "", request.run_id, request.request_id)
        artifact = await self._store.put(current_principal(), new, in_chunks(request.data))
        return pb.CreateArtifactResponse(artifact=artifact_to_proto(artifact))

    async def GetArtifact(self, request: pb.GetArtifactRequest, context: _Context) -> pb.GetArtifactResponse:
        """Return what is known of an artifact."""
        del context
        artifact = await self._store.get(current_principal(), request.artifact_id.lower())
        return pb.GetArtifactResponse(artifact=artifact_to_proto(artifact))

    async def ReadArtifact(self, request: pb.ReadArtifactRequest, context: _Context) -> pb.ReadArtifactResponse:
        """Return a piece of an artifact's bytes."""
        del context
        artifact, data = await self._store.read(
            current_principal(), request.artifact_id.lower(), request.offset, request.length or _READ_BYTES
        )
        return pb.ReadArtifactResponse(data=data, artifact=artifact_to_proto(artifact))

    async def ListArtifacts(self, request: pb.ListArtifactsRequest, context: _Context) -> pb.ListArtifactsResponse:
        """Return a page of artifacts, the newest first."""
        del context
        page = await self._store.page(
            current_principal(),
            run_id=request.run_id,
            before=_before(request.page_token),
            size=request.page_size or _PAGE_SIZE,
        )
        return pb.ListArtifactsResponse(
            artifacts=[artifact_to_proto(artifact) for artifact in page.artifacts],
            next_page_token=page.next_before or "",
        )

    async def DeleteArtifact(self, request: pb.DeleteArtifactRequest, context: _Context) -> pb.DeleteArtifactResponse:
        """Delete an artifact."""
        del context
        await self._store.delete(current_principal(), request.artifact_id.lower(), request.request_id)
        return pb.DeleteArtifactResponse()


def artifact_to_proto(artifact: Artifact) -> pb.Artifact:
    """Return `artifact` as a message."""
    proto = pb.Artifact(
        artifact_id=artifact.artifact_id,
        name=artifact.name,
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        tool=artifact.tool,
        run_id=artifact.run_id,
        user_id=artifact.user_id,
    )
    proto.create_time.FromDatetime(artifact.created_at)
    return proto


def _before(token: str) -> str:
    """Return the id before which the page of `token` begins. Raises InvalidInput: PAGE_TOKEN_INVALID."""
    try:
        return str(UUID(token)) if token else ""
    except ValueError as error:
        raise InvalidInput(
            "PAGE_TOKEN_INVALID",
            "The page token is not one of ListArtifacts. Leave it out to begin with the first page.",
            violations=[FieldViolation("page_token", "is not one of ListArtifacts")],
        ) from error
