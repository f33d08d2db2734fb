"""Collect the files that a caller asked for from a sandbox whose program has ended or rests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sandbox_service.domain.run_event import MAX_PIECE_BYTES, FilePiece, SkippedFile
from sandbox_service.domain.workspace import Listing, is_pattern, matches, media_type_of, path_problem
from sandbox_service.ports.sandbox import Sandbox
from shared.errors import NotFound, PreconditionFailed

MAX_FILES = 64
MAX_PATTERNS = 8
MAX_PATTERN_LENGTH = 256
_LOOKED_AT_ONCE = 4_096  # characters
_LOOKED_AT_IN_ALL = 1 << 20


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
        patterns = [path for path in wanted if is_pattern(path) and len(path) <= MAX_PATTERN_LENGTH]
        search = _Search(await sandbox.list_files(), set(patterns[:MAX_PATTERNS])) if patterns else None
        for path in wanted:
            if path_problem(path) or (is_pattern(path) and len(path) > MAX_PATTERN_LENGTH):
                skipped.append(SkippedFile(path, "path_invalid"))
            elif search is not None and is_pattern(path):
                fitting, why_not_all = await search.fitting(path)
                found.update(dict.fromkeys(fitting))
                if why_not_all:
                    skipped.append(SkippedFile(path, why_not_all))
            else:
                found[path] = None
        paths = list(found)
        skipped.extend(SkippedFile(path, "too_many") for path in paths[MAX_FILES:][:MAX_FILES])
        return paths[:MAX_FILES]


class _Search:
    """Finds what patterns mean; what all of them together may look at has an end, as the loop is everybody's."""

    def __init__(self, listing: Listing, patterns: set[str]) -> None:
        self._listing = listing
        self._patterns = patterns
        self._looked_at = 0

    async def fitting(self, pattern: str) -> tuple[list[str], str]:
        """Return the files that a pattern means, and why they are none or perhaps not all."""
        found: list[str] = []
        if pattern not in self._patterns:
            return found, "too_many"
        for name, *_ in self._listing.files:
            turns = self._looked_at // _LOOKED_AT_ONCE
            self._looked_at += len(name) + 1
            if self._looked_at > _LOOKED_AT_IN_ALL:
                return found, "too_many"
            if self._looked_at // _LOOKED_AT_ONCE > turns:
                await asyncio.sleep(0)
            if matches(pattern, name):
                found.append(name)
        return found, "" if found else "not_found"


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
