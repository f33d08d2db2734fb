"""A process with an artifact store that is killed in the middle of its work: `python artifact_mortal.py <folder>`."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from artifact_fakes import chunks_of, files_in, opened_store

from shared.errors import NexusError
from shared.testing.harness import principal
from tool_executor.adapters.artifact_objects import ArtifactObjects, Content
from tool_executor.domain.artifact import NewArtifact


async def _stalled() -> AsyncIterator[bytes]:
    for _ in range(50):
        yield b"h" * 1000
    sys.stdout.write("half way\n")
    sys.stdout.flush()
    await asyncio.sleep(600)


async def _full(folder: Path) -> None:
    """Put a file where the system takes none of its size."""
    async with opened_store(folder) as store:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
        try:
            await store.put(principal(), NewArtifact("large"), chunks_of(b"l" * 50_000))
        except NexusError as error:
            sys.stdout.write(f"{error.reason}\n")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def _work(folder: Path) -> None:
    async with opened_store(folder) as store:
        kept = await store.put(principal(), NewArtifact("kept"), chunks_of(b"kept"))
        sys.stdout.write(f"{kept.artifact_id}\n")
    await _full(folder)
    # As a crash between the bytes and the row leaves them.
    objects = ArtifactObjects(partial(files_in, folder))
    orphan = Content(principal().org_id, hashlib.sha256(b"orphan").hexdigest())
    await objects.keep(await objects.stage(orphan.org_id, "s", chunks_of(b"orphan")), orphan)
    async with opened_store(folder) as store:
        await store.put(principal(), NewArtifact("half"), _stalled())


if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1])))
