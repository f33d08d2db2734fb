"""Collect the files that a caller asked for from a sandbox whose program has ended or rests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sandbox_service.domain.run_event import MAX_PIECE_BYTES, FilePiece, SkippedFile
from sandbox_service.domain.workspace import Listing, is_pattern, matches, media_type_of, path_problem
from sandbox_service.ports.sandbox import Sandbox
from shared.errors import NotFound, PreconditionFailed

MAX_FILES = 64
_LOOKED_AT_ONCE = 32


class CollectFiles:
    """Reads files in pieces.

    Args:
        limit_bytes: most bytes of all files of one execution together.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes

    async def __call__(
        self, sandbox: Sandbox, wanted: tuple[str, ...], skipped: list[SkippedFile]
    ) -> AsyncGenerator[FilePiece, None]:
        """Yield the pieces of each file in order, and add to `skipped` what is not returned.

        Raises:
            PreconditionFailed: SANDBOX_GONE.
        """
        left = self._limit_bytes
        paths = await self._paths(sandbox, wanted, skipped) if wanted else []
        for path in paths:
            found = await _read(sandbox, path, 0, min(left, MAX_PIECE_BYTES))
            if isinstance(found, str):
                skipped.append(SkippedFile(path, found))
                continue
            data, size = found
            if size > left:
                skipped.append(SkippedFile(path, "too_large"))
                continue
            left -= size
            kind, offset = media_type_of(path, data[:16]), 0
            while True:
                yield FilePiece(path, size, offset, data, kind)
                offset += len(data)
                if not data or offset >= size:
                    break
                # A session's program may change its files meanwhile, or take them away.
                found = await _read(sandbox, path, offset, min(size - offset, MAX_PIECE_BYTES))
                if isinstance(found, str):
                    skipped.append(SkippedFile(path, found))
                    break
                data, _ = found

    async def _paths(self, sandbox: Sandbox, wanted: tuple[str, ...], skipped: list[SkippedFile]) -> list[str]:
        """Return the paths that are meant, each once, in the order of the wishes."""
        found: dict[str, None] = {}
        listing = await sandbox.list_files() if any(is_pattern(path) for path in wanted) else None
        for path in wanted:
            if path_problem(path):
                skipped.append(SkippedFile(path, "path_invalid"))
            elif listing is not None and is_pattern(path):
                fitting = await _fitting(path, listing)
                found.update(dict.fromkeys(fitting))
                if not fitting:
                    skipped.append(SkippedFile(path, "not_found"))
            else:
                found[path] = None
        paths = list(found)
        skipped.extend(SkippedFile(path, "too_many") for path in paths[MAX_FILES:][:MAX_FILES])
        return paths[:MAX_FILES]


async def _read(sandbox: Sandbox, path: str, offset: int, length: int) -> tuple[bytes, int] | str:
    """Return a piece and the file's size, or why there is none."""
    try:
        return await sandbox.read_file(path, offset, length)
    except NotFound:
        return "not_found"
    except PreconditionFailed as error:
        if error.reason != "FILE_REFUSED":
            raise
        return str((error.metadata or {}).get("reason", ""))


async def _fitting(pattern: str, listing: Listing) -> list[str]:
    """Return the files that a pattern means, letting others have a turn now and then."""
    found: list[str] = []
    for number, (name, *_) in enumerate(listing.files):
        if number % _LOOKED_AT_ONCE == 0:
            await asyncio.sleep(0)
        if matches(pattern, name):
            found.append(name)
    return found
