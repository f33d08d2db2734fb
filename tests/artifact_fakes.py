"""A plain model of what an artifact store does, and stores to compare with it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from obstore.store import LocalStore, MemoryStore, ObjectStore

from shared.auth.principal import Principal
from shared.errors import NexusError
from shared.ids import new_id
from shared.storage import Database
from shared.testing.fakes import FakeClock
from tool_executor.adapters.artifact_objects import ArtifactObjects
from tool_executor.adapters.artifact_rows import ArtifactRows
from tool_executor.adapters.artifact_store_obstore import ObstoreArtifactStore
from tool_executor.domain.artifact import (
    Artifact,
    ArtifactPage,
    NewArtifact,
    OpenArtifact,
    charge_of,
    clean_name,
    media_type_of,
)
from tool_executor.domain.artifact_errors import artifact_too_large, artifact_unknown, quota_exceeded, request_reused

LIMIT = 64 * 1024
QUOTA = 256 * 1024


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield the chunks."""
    for chunk in chunks:
        yield chunk


@dataclass
class MemoryArtifactStore:
    """Keeps artifacts in dictionaries; raises `error` where there is one."""

    new_id: Callable[[], str] = new_id
    error: NexusError | None = None
    kept: dict[tuple[str, str], tuple[Artifact, bytes]] = field(
        default_factory=dict[tuple[str, str], tuple[Artifact, bytes]]
    )
    created: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    deleted: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    clock: FakeClock = field(default_factory=FakeClock)

    async def put(self, owner: Principal, new: NewArtifact, chunks: AsyncIterator[bytes]) -> Artifact:
        """See `ArtifactStore.put`."""
        if self.error:
            raise self.error
        data = b"".join([chunk async for chunk in chunks])
        if len(data) > LIMIT:
            raise artifact_too_large(LIMIT)
        name = clean_name(new.name)
        kind, digest = media_type_of(name, new.media_type, data), hashlib.sha256(data).hexdigest()
        made = Artifact(
            self.new_id(), name, kind, len(data), digest, new.tool, new.run_id, owner.user_id, self.clock.now()
        )
        earlier = self.created.get((owner.org_id, new.request_id)) if new.request_id else None
        if earlier:
            known, _ = self.kept[owner.org_id, earlier]
            if _facts(known) != _facts(made):
                raise request_reused()
            return known
        used = sum(charge_of(len(data)) for (org, _), (_, data) in self.kept.items() if org == owner.org_id)
        if used + charge_of(len(data)) > QUOTA:
            raise quota_exceeded(QUOTA, used)
        self.kept[owner.org_id, made.artifact_id] = made, data
        if new.request_id:
            self.created[owner.org_id, new.request_id] = made.artifact_id
        return made

    async def get(self, owner: Principal, artifact_id: str) -> Artifact:
        """See `ArtifactStore.get`."""
        return self._of(owner, artifact_id)[0]

    async def read(self, owner: Principal, artifact_id: str, offset: int, length: int) -> tuple[Artifact, bytes]:
        """See `ArtifactStore.read`."""
        artifact, data = self._of(owner, artifact_id)
        return artifact, data[offset : offset + length]

    async def open(self, owner: Principal, artifact_id: str) -> OpenArtifact:
        """See `ArtifactStore.open`."""
        artifact, data = self._of(owner, artifact_id)
        return OpenArtifact(artifact, chunks_of(*([data] if data else [])))

    async def page(self, owner: Principal, *, run_id: str, before: str, size: int) -> ArtifactPage:
        """See `ArtifactStore.page`."""
        mine = [artifact for (org, _), (artifact, _) in self.kept.items() if org == owner.org_id]
        found = [each for each in mine if run_id in {"", each.run_id} and (not before or each.artifact_id < before)]
        found.sort(key=lambda each: each.artifact_id, reverse=True)
        return ArtifactPage(tuple(found[:size]), found[size - 1].artifact_id if len(found) > size else None)

    async def delete(self, owner: Principal, artifact_id: str, request_id: str) -> None:
        """See `ArtifactStore.delete`."""
        earlier = self.deleted.get((owner.org_id, request_id)) if request_id else None
        if earlier is not None:
            if earlier != artifact_id:
                raise request_reused()
            return
        self._of(owner, artifact_id)
        del self.kept[owner.org_id, artifact_id]
        self.created = {
            key: made for key, made in self.created.items() if (key[0], made) != (owner.org_id, artifact_id)
        }
        if request_id:
            self.deleted[owner.org_id, request_id] = artifact_id

    async def sweep(self) -> int:
        """See `ArtifactStore.sweep`."""
        return 0

    def _of(self, owner: Principal, artifact_id: str) -> tuple[Artifact, bytes]:
        found = self.kept.get((owner.org_id, artifact_id))
        if found is None:
            raise artifact_unknown(artifact_id)
        return found


def _facts(artifact: Artifact) -> tuple[str, ...]:
    return (artifact.name, artifact.media_type, artifact.sha256, artifact.tool, artifact.run_id, artifact.user_id)


SHELVED = "0198c0de-0000-7000-8000-000000000001"


def shelf(data: bytes, name: str = "note.txt") -> MemoryArtifactStore:
    """Return a store in which the default principal has one file, called `SHELVED`."""
    store = MemoryArtifactStore()
    digest = hashlib.sha256(data).hexdigest()
    kind = media_type_of(name, "", data)
    made = Artifact(SHELVED, name, kind, len(data), digest, "", "", "user-1", store.clock.now())
    store.kept["org-a", SHELVED] = made, data
    return store


@asynccontextmanager
async def opened_store(
    folder: Path,
    objects: ArtifactObjects | None = None,
    *,
    clock: FakeClock | None = None,
    ids: Callable[[], str] = new_id,
) -> AsyncGenerator[ObstoreArtifactStore]:
    """Open the real store in `folder`, its bytes in files there or in `objects`."""
    database = Database(folder / "tools.sqlite", "tool_executor.adapters.migrations")
    await database.open()
    kept = objects or ArtifactObjects(partial(files_in, folder))
    kept.start()
    store = ObstoreArtifactStore(
        ArtifactRows(database, quota_bytes=QUOTA),
        kept,
        clock or FakeClock(),
        ids,
        limit_bytes=LIMIT,
    )
    try:
        yield store
    finally:
        await store.stop()
        await database.close()


def files_in(folder: Path) -> ObjectStore:
    """Return the store of files below a folder."""
    root = folder / "artifacts"
    root.mkdir(exist_ok=True)
    return LocalStore(prefix=root)


def files_of(folder: Path) -> list[Path]:
    """Return all files below the artifacts' folder."""
    return sorted(path for path in (folder / "artifacts").rglob("*") if path.is_file())


def memory_objects() -> ArtifactObjects:
    """Return bytes in memory."""
    return ArtifactObjects(MemoryStore)
