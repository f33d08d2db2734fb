"""The bytes of artifacts in an object store, by organisation and content."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import GCSStore, LocalStore, ObjectStore, S3Store

from shared.errors import PreconditionFailed
from shared.telemetry.logging import get_logger
from tool_executor.domain.artifact_errors import storage_full, storage_unavailable

_log = get_logger(__name__)
_CONTENT = "content"
_STAGING = "staging"
# What else is there is not ours to remove.
_CONTENT_PATH = re.compile(rf"([0-9a-f]+)/{_CONTENT}/([0-9a-f]{{64}})")
_STAGED_PATH = re.compile(rf"[0-9a-f]+/{_STAGING}/[^/]+")
_PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes as a part."""
_PARTS_AT_ONCE = 2
_LISTED = 500
# ENOSPC, EFBIG and EDQUOT: the store tells the system's error in words alone.
_FULL = ("(os error 28)", "(os error 27)", "(os error 122)")


@dataclass(frozen=True, slots=True)
class Content:
    """Names bytes: an organisation and their SHA-256."""

    org_id: str
    sha256: str

    @property
    def path(self) -> str:
        """Where they are."""
        return f"{_folder(self.org_id)}/{_CONTENT}/{self.sha256}"


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Old objects: contents that something may refer to, and paths of what was never finished."""

    contents: Sequence[Content]
    unfinished: Sequence[str]


class ArtifactObjects:
    """Reads and writes bytes. Whatever is at a content's path is whole: it was written elsewhere and moved there.

    Every method raises UpstreamDown: ARTIFACT_STORAGE_FULL or ARTIFACT_STORAGE_UNAVAILABLE.

    Args:
        open_store: opens where they are kept, once.
    """

    def __init__(self, open_store: Callable[[], ObjectStore]) -> None:
        self._open_store = open_store

    @cached_property
    def _store(self) -> ObjectStore:
        return self._open_store()

    def start(self) -> None:
        """Open the store. Raises what that raises."""
        _ = self._store

    async def stage(self, org_id: str, name: str, chunks: AsyncIterator[bytes]) -> str:
        """Write `chunks` to a path of their own, and return it. What `chunks` raises is raised, and nothing is left."""
        path = f"{_folder(org_id)}/{_STAGING}/{name}"
        with _translated():
            await obstore.put_async(
                self._store, path, chunks, use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )
        return path

    async def keep(self, staged: str, content: Content) -> None:
        """Move what was staged to its content's path, over the same bytes where they are there."""
        with _translated():
            await self._flush(staged)
            await obstore.rename_async(self._store, staged, content.path)
            await self._flush(content.path.rpartition("/")[0])

    async def read(self, content: Content, offset: int, length: int) -> bytes | None:
        """Return the bytes from `offset`, which they must reach, on; None when there is no such content."""
        with _translated():
            try:
                data = await obstore.get_range_async(self._store, content.path, start=offset, length=length)
            except FileNotFoundError:
                return None
        return bytes(data)

    async def remove(self, path: str) -> None:
        """Remove an object that may be gone already."""
        with _translated(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, path)

    async def leftovers(self, before: datetime) -> AsyncIterator[Leftovers]:
        """Yield the objects that were written before a moment, some hundreds at a time."""
        with _translated():
            # Typed by hand: the package's types name another package, which is not needed and not there.
            pages: AsyncIterator[Sequence[obstore.ObjectMeta]] = cast("Any", obstore).list(
                self._store, chunk_size=_LISTED
            )
            async for listed in pages:
                paths = [each["path"] for each in listed if each["last_modified"] < before]
                yield Leftovers(
                    [content for path in paths if (content := _content_at(path))],
                    [path for path in paths if _STAGED_PATH.fullmatch(path)],
                )

    async def _flush(self, path: str) -> None:
        """Have what is at a path of this machine's disk survive a power cut; buckets do by themselves."""
        if isinstance(self._store, LocalStore) and self._store.prefix is not None:
            await asyncio.to_thread(_flush, self._store.prefix / path)

    async def remove_parts(self, before: datetime) -> int:
        """Remove parts of files that a killed process was writing, which the store does not list; return how many."""
        root = self._store.prefix if isinstance(self._store, LocalStore) else None
        return 0 if root is None else await asyncio.to_thread(_remove_parts, root, before.timestamp())


def open_store(url: str, folder: Path) -> ObjectStore:
    """Return the object store at `url`, or the one in `folder` for an empty one; a folder is made, for its owner alone.

    Credentials and region of a remote store come from where its own tools look for them, never from the URL.

    Raises:
        PreconditionFailed: with reason ARTIFACTS_URL_INVALID.
    """
    parts = urlsplit(url)
    try:
        if not url or (parts.scheme == "file" and not parts.netloc and parts.path):
            root = Path(parts.path) if url else folder.absolute()
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            root.chmod(0o700)
            return LocalStore(prefix=root)
        if parts.scheme in {"s3", "gs"} and parts.netloc and "@" not in parts.netloc:
            return S3Store.from_url(url) if parts.scheme == "s3" else GCSStore.from_url(url)
    except (OSError, ValueError, BaseError) as error:
        raise PreconditionFailed(
            "ARTIFACTS_URL_INVALID", f"The storage of artifacts cannot be opened: {str(error).splitlines()[0]}"
        ) from error
    raise PreconditionFailed(
        "ARTIFACTS_URL_INVALID",
        "The address of the storage of artifacts is none of file:///folder, s3://bucket/prefix and gs://bucket/prefix, "
        "without credentials.",
    )


def _folder(org_id: str) -> str:
    # In hexadecimal digits: an id may hold anything, a path may not.
    return org_id.encode().hex()


def _content_at(path: str) -> Content | None:
    found = _CONTENT_PATH.fullmatch(path)
    try:
        return Content(bytes.fromhex(found[1]).decode(), found[2]) if found else None
    except ValueError:
        return None


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_parts(root: Path, before_s: float) -> int:
    count = 0
    for part in root.glob(f"*/{_STAGING}/*#*"):
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < before_s:
                part.unlink()
                count += 1
    return count


@contextmanager
def _translated() -> Generator[None, None, None]:
    """Turn the store's errors into ours; what the store says of paths stays in the log."""
    try:
        yield
    except (BaseError, OSError) as error:
        if any(words in str(error) for words in _FULL):
            raise storage_full() from error
        _log.error("artifact_storage_failed", error=str(error)[:500])
        raise storage_unavailable() from error
