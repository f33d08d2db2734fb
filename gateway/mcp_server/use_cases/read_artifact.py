"""Reads an artifact as a whole."""

from __future__ import annotations

from gateway.mcp_server.domain.artifact import MOST_BYTES, Artifact, id_in
from gateway.mcp_server.domain.errors import Reason, failure
from gateway.mcp_server.ports.artifact_shelf import ArtifactShelf
from shared.errors import InvalidInput, NotFound


class ReadArtifact:
    """Reads artifacts by their URIs."""

    def __init__(self, shelf: ArtifactShelf) -> None:
        self._shelf = shelf

    async def __call__(self, uri: str) -> tuple[Artifact, bytes]:
        """Return the artifact of `uri` with its bytes, of which there are at most `MOST_BYTES`.

        Raises:
            NexusError: RESOURCE_UNKNOWN, ARTIFACT_TOO_LARGE, ARTIFACT_CHANGED, Forbidden, UpstreamDown.
        """
        artifact_id = id_in(uri)
        if not artifact_id:
            raise _unknown()
        try:
            artifact = await self._shelf.find(artifact_id)
        except (NotFound, InvalidInput) as error:
            raise _unknown() from error
        if artifact.size_bytes > MOST_BYTES:
            raise failure(Reason.ARTIFACT_TOO_LARGE, f"The artifact has more than {MOST_BYTES} bytes.")
        data = bytearray()
        while len(data) < artifact.size_bytes:
            piece = await self._shelf.piece(artifact_id, len(data))
            data += piece
            if not piece or len(data) > artifact.size_bytes:
                raise failure(Reason.ARTIFACT_CHANGED, "The artifact is not as long as it is said to be.")
        return artifact, bytes(data)


def _unknown() -> Exception:
    return failure(Reason.RESOURCE_UNKNOWN, "There is no such resource. resources/list has those there are.")
