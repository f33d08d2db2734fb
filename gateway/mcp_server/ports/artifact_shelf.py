"""The artifacts."""

from __future__ import annotations

from typing import Protocol

from gateway.mcp_server.domain.artifact import Artifact, ArtifactPage


class ArtifactShelf(Protocol):
    """Gives the artifacts of the current principal's organisation."""

    async def page(self, token: str, run_id: str = "") -> ArtifactPage:
        """Return artifacts, the newest first, from the page of `token` on; only those of `run_id` where it is given.

        Raises:
            NexusError: Forbidden, InvalidInput for a token that is none, UpstreamDown.
        """
        ...

    async def find(self, artifact_id: str) -> Artifact:
        """Return one artifact.

        Raises:
            NexusError: NotFound, InvalidInput for an id that is none, Forbidden, UpstreamDown.
        """
        ...

    async def piece(self, artifact_id: str, offset: int) -> bytes:
        """Return some bytes of an artifact from `offset` on; none at its end. Raises as `find`."""
        ...
