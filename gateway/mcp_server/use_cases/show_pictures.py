"""Fetches the pictures among what a call left, so that a client shows them without asking again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.mcp_server.domain.artifact import Artifact
from gateway.mcp_server.use_cases.read_artifact import ReadArtifact
from shared.auth.principal import Principal
from shared.errors import NexusError

MOST_BYTES = 640 * 1024
"""Of the pictures of one result: in Base64 they stay below the megabyte that clients take of one event."""
_MOST = 4
_KINDS = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp"))
_READS = "artifacts.read"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, with its bytes."""

    media_type: str
    data: bytes


class ShowPictures:
    """Fetches pictures. What is too large, or cannot be read, is left out: the link to it is there all the same."""

    def __init__(self, read: ReadArtifact) -> None:
        self._read = read

    async def __call__(self, caller: Principal, artifacts: Iterable[Artifact]) -> tuple[Picture, ...]:
        """Return the first pictures of `artifacts`, a few, and none for who may read none. Raises nothing."""
        if not caller.may(_READS):
            return ()
        pictures: list[Picture] = []
        left_bytes = MOST_BYTES
        for artifact in artifacts:
            if artifact.media_type not in _KINDS or artifact.size_bytes > left_bytes or len(pictures) == _MOST:
                continue
            try:
                found, data = await self._read(artifact.uri)
            except NexusError:
                continue
            pictures.append(Picture(found.media_type, data))
            left_bytes -= len(data)
        return tuple(pictures)
