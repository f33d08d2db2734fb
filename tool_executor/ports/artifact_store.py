"""Keeps artifacts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from shared.auth.principal import Principal
from tool_executor.domain.artifact import Artifact, ArtifactPage, NewArtifact, OpenArtifact


class ArtifactStore(Protocol):
    """Keeps files per organisation, the same bytes once; another organisation's artifact is unknown.

    Every method raises UpstreamDown when the storage cannot be used.
    """

    async def put(self, owner: Principal, new: NewArtifact, chunks: AsyncIterator[bytes]) -> Artifact:
        """Keep the bytes of `chunks` for `owner`; all of them, or nothing when it raises.

        Idempotent by `new.request_id`: the first artifact is returned for the same bytes, name, type, tool, run and
        user. The name is cleaned, the media type held against the bytes.

        Raises:
            InvalidInput: ARTIFACT_TOO_LARGE.
            QuotaExceeded: ARTIFACT_QUOTA_EXCEEDED.
            AlreadyExists: REQUEST_ID_REUSED.
            UpstreamDown: ARTIFACT_STORAGE_FULL.
        """
        ...

    async def get(self, owner: Principal, artifact_id: str) -> Artifact:
        """Return what is known of an artifact.

        Raises:
            NotFound: ARTIFACT_UNKNOWN.
        """
        ...

    async def read(self, owner: Principal, artifact_id: str, offset: int, length: int) -> tuple[Artifact, bytes]:
        """Return at most `length` bytes from `offset` on; none at or after the end.

        Raises:
            NotFound: ARTIFACT_UNKNOWN.
            UpstreamDown: ARTIFACT_LOST.
        """
        ...

    async def open(self, owner: Principal, artifact_id: str) -> OpenArtifact:
        """Return an artifact with its bytes in pieces. Reading on raises as `read`, also when it is deleted meanwhile.

        Raises:
            NotFound: ARTIFACT_UNKNOWN.
        """
        ...

    async def page(self, owner: Principal, *, run_id: str, before: str, size: int) -> ArtifactPage:
        """Return at most `size` artifacts older than the one called `before`, the newest first.

        Args:
            owner: whose.
            run_id: only those of this run; empty for all.
            before: an artifact's id, that may be gone; empty for the newest.
            size: at least 1.
        """
        ...

    async def delete(self, owner: Principal, artifact_id: str, request_id: str) -> None:
        """Delete an artifact, and its bytes with the last one that has them. Idempotent by `request_id`, for a day.

        Raises:
            NotFound: ARTIFACT_UNKNOWN.
            AlreadyExists: REQUEST_ID_REUSED.
        """
        ...

    async def sweep(self) -> int:
        """Remove bytes without an artifact that a crash left an hour ago or before; return how many. Idempotent."""
        ...
