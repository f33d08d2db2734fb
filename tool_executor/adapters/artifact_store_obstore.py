"""Artifacts as rows of SQLite and bytes of an object store.

Bytes are written first, then the row; a row goes first, then the bytes. So whatever a crash leaves is bytes without a
row, and `sweep` removes them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from shared.auth.principal import Principal
from shared.clock import Clock
from shared.errors import NexusError
from shared.ids import IdSource
from tool_executor.adapters.artifact_objects import ArtifactObjects, Content
from tool_executor.adapters.artifact_rows import ArtifactRows
from tool_executor.domain.artifact import Artifact, ArtifactPage, NewArtifact, OpenArtifact, clean_name, media_type_of
from tool_executor.domain.artifact_errors import artifact_lost, artifact_too_large

_HEAD_BYTES = 512
_PIECE_BYTES = 1024 * 1024
_LOCKS = 64
_OLD = timedelta(hours=1)
"""No artifact takes so long to write, so older bytes without a row are nobody's."""
_DELETIONS_KEPT = timedelta(days=1)

T = TypeVar("T")


@dataclass(slots=True)
class _Measured:
    """Bytes as they pass by: how many, of which digest, and the first of them."""

    limit_bytes: int
    size_bytes: int = 0
    head: bytes = b""
    digest: Any = field(default_factory=hashlib.sha256)

    async def of(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield `chunks`. Raises InvalidInput: ARTIFACT_TOO_LARGE."""
        async for chunk in chunks:
            self.size_bytes += len(chunk)
            if self.size_bytes > self.limit_bytes:
                raise artifact_too_large(self.limit_bytes)
            if len(self.head) < _HEAD_BYTES:
                self.head += chunk[: _HEAD_BYTES - len(self.head)]
            self.digest.update(chunk)
            yield chunk


class ObstoreArtifactStore:
    """Keeps artifacts. One process alone may have the database and the objects.

    Args:
        rows: what is known of them.
        objects: their bytes.
        clock: tells when.
        new_id: makes their ids.
        limit_bytes: largest artifact.
    """

    def __init__(
        self, rows: ArtifactRows, objects: ArtifactObjects, clock: Clock, new_id: IdSource, *, limit_bytes: int
    ) -> None:
        self._rows = rows
        self._objects = objects
        self._clock = clock
        self._new_id = new_id
        self._limit_bytes = limit_bytes
        # Nobody may give a content its last row's end and its first row at once; some contents share a lock.
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]
        self._changes: set[asyncio.Task[Any]] = set()

    async def put(self, owner: Principal, new: NewArtifact, chunks: AsyncIterator[bytes]) -> Artifact:
        """See `ArtifactStore.put`."""
        if not new.request_id:
            await self._rows.check_quota(owner, 0)
        measured = _Measured(self._limit_bytes)
        artifact_id = self._new_id()
        staged = await self._objects.stage(owner.org_id, artifact_id, measured.of(chunks))
        name = clean_name(new.name)
        artifact = Artifact(
            artifact_id=artifact_id,
            name=name,
            media_type=media_type_of(name, new.media_type, measured.head),
            size_bytes=measured.size_bytes,
            sha256=measured.digest.hexdigest(),
            tool=new.tool,
            run_id=new.run_id,
            user_id=owner.user_id,
            created_at=self._clock.now(),
        )
        return await self._uncut(self._keep(owner, artifact, new.request_id, staged))

    async def get(self, owner: Principal, artifact_id: str) -> Artifact:
        """See `ArtifactStore.get`."""
        return await self._rows.get(owner.org_id, artifact_id)

    async def read(self, owner: Principal, artifact_id: str, offset: int, length: int) -> tuple[Artifact, bytes]:
        """See `ArtifactStore.read`."""
        artifact = await self._rows.get(owner.org_id, artifact_id)
        wanted = max(0, min(length, artifact.size_bytes - offset))
        if not wanted:
            return artifact, b""
        data = await self._objects.read(Content(owner.org_id, artifact.sha256), offset, wanted)
        if data is None or len(data) != wanted:
            # It may have been deleted since its row was read: then it is unknown, and nothing is lost.
            await self._rows.get(owner.org_id, artifact_id)
            raise artifact_lost(artifact_id)
        return artifact, data

    async def open(self, owner: Principal, artifact_id: str) -> OpenArtifact:
        """See `ArtifactStore.open`."""
        artifact = await self._rows.get(owner.org_id, artifact_id)
        return OpenArtifact(artifact, self._pieces(owner, artifact))

    async def page(self, owner: Principal, *, run_id: str, before: str, size: int) -> ArtifactPage:
        """See `ArtifactStore.page`."""
        found = await self._rows.before(owner.org_id, before, run_id, size + 1)
        shown = found[:size]
        return ArtifactPage(shown, shown[-1].artifact_id if len(found) > size else None)

    async def delete(self, owner: Principal, artifact_id: str, request_id: str) -> None:
        """See `ArtifactStore.delete`."""
        await self._uncut(self._delete(owner.org_id, artifact_id, request_id))

    async def sweep(self) -> int:
        """See `ArtifactStore.sweep`."""
        now = self._clock.now()
        await self._rows.forget_deletions(now - _DELETIONS_KEPT)
        removed = await self._objects.remove_parts(now - _OLD)
        async for leftovers in self._objects.leftovers(now - _OLD):
            for path in leftovers.unfinished:
                await self._objects.remove(path)
            orphans = set(leftovers.contents) - await self._rows.referred(leftovers.contents)
            for content in orphans:
                await self._uncut(self._drop(content))
            removed += len(leftovers.unfinished) + len(orphans)
        return removed

    async def stop(self) -> None:
        """Wait for the changes that are under way."""
        await asyncio.gather(*self._changes, return_exceptions=True)

    async def _keep(self, owner: Principal, artifact: Artifact, request_id: str, staged: str) -> Artifact:
        content = Content(owner.org_id, artifact.sha256)
        async with self._lock(content):
            await self._objects.keep(staged, content)
            try:
                kept = await self._rows.add(owner, artifact, request_id)
            except NexusError:
                await self._remove_unreferred(content)
                raise
        return kept

    async def _delete(self, org_id: str, artifact_id: str, request_id: str) -> None:
        try:
            content = Content(org_id, (await self._rows.get(org_id, artifact_id)).sha256)
        except NexusError:
            # Unknown, or deleted under this request id before: the rows know which.
            await self._rows.remove(org_id, artifact_id, request_id, self._clock.now())
            return
        async with self._lock(content):
            await self._rows.remove(org_id, artifact_id, request_id, self._clock.now())
            await self._remove_unreferred(content)

    async def _drop(self, content: Content) -> None:
        async with self._lock(content):
            await self._remove_unreferred(content)

    async def _remove_unreferred(self, content: Content) -> None:
        if not await self._rows.referred([content]):
            await self._objects.remove(content.path)

    async def _pieces(self, owner: Principal, artifact: Artifact) -> AsyncIterator[bytes]:
        for offset in range(0, artifact.size_bytes, _PIECE_BYTES):
            _, piece = await self.read(owner, artifact.artifact_id, offset, _PIECE_BYTES)
            yield piece

    async def _uncut(self, change: Coroutine[Any, Any, T]) -> T:
        """Run a change to its end, also when the caller leaves: what was given up would go on in the disk's thread."""
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    def _lock(self, content: Content) -> asyncio.Lock:
        return self._locks[int(content.sha256[:4], 16) % _LOCKS]
