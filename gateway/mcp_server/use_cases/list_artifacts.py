"""Lists the artifacts that a caller may read."""

from __future__ import annotations

from gateway.mcp_server.domain.artifact import ArtifactPage
from gateway.mcp_server.ports.artifact_shelf import ArtifactShelf
from shared.auth.principal import Principal

_READS = "artifacts.read"


class ListArtifacts:
    """Lists artifacts, the newest first. Who may read none is shown none."""

    def __init__(self, shelf: ArtifactShelf) -> None:
        self._shelf = shelf

    async def __call__(self, caller: Principal, token: str) -> ArtifactPage:
        """Return the page of `token`, which is empty for the first one.

        Raises:
            NexusError: InvalidInput for a token that is none, UpstreamDown.
        """
        return await self._shelf.page(token) if caller.may(_READS) else ArtifactPage((), "")
