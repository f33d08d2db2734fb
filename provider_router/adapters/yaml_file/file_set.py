"""The files of one set on the disk: which there are, and their content. Everything here blocks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from provider_router.adapters.yaml_file.located_yaml import WrongFile
from provider_router.adapters.yaml_file.source_file import SourceFile

_FILE_CAP_BYTES = 1024 * 1024
_FILES_CAP = 2000
# A file system's clock is coarse: a file that was written this short a time ago may be written again with the same
# size and the same time.
_FRESH_NS = 1_000_000_000

Stamp: TypeAlias = Mapping[str, tuple[int, int, int]]
"""From a file's name to its time of change in ns, its size and its inode, in the order of the names."""


class UnreadableError(Exception):
    """Nobody can say which files there are.

    Args:
        file: What could not be looked at, relative to the watched folder.
        reason: Why.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} {reason}")
        self.wrong_file = WrongFile(file, 0, reason)


class FileSet:
    """Finds and reads files.

    Args:
        folder: Where they are.
        patterns: Shell patterns of names, after the way to their folder: `contracts/*.yaml`. Hidden files are left out.
        required: Names that must be there.
    """

    def __init__(self, folder: Path, patterns: Sequence[str], required: Sequence[str] = ()) -> None:
        self._folder = folder
        self._patterns = patterns
        self._required = required

    def stamp(self) -> Stamp:
        """Which files there are now.

        Raises:
            UnreadableError: A required one is missing, a folder cannot be listed, or there are too many.
        """
        found = {name: None for pattern in self._patterns for name in self._matching(pattern)}
        if len(found) > _FILES_CAP:
            raise UnreadableError(", ".join(self._patterns), f"are more than {_FILES_CAP} files")
        stamps = {name: self._stamp_of(name) for name in sorted({*found, *self._required})}
        return {name: stamp for name, stamp in stamps.items() if stamp is not None}

    def read(self, name: str) -> SourceFile:
        """The file `name`; one that cannot be read, or is too large, says so when it is asked for what it holds."""
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(_FILE_CAP_BYTES + 1)
        except OSError as error:
            return SourceFile(name, b"", _unreadable(error))
        if len(content) > _FILE_CAP_BYTES:
            return SourceFile(name, b"", f"is larger than {_FILE_CAP_BYTES} bytes")
        return SourceFile(name, content)

    def _matching(self, pattern: str) -> list[str]:
        where = PurePosixPath(pattern)
        try:
            names = [path.name for path in (self._folder / where.parent).iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            # Not the same as an empty one: what is in there may forbid something.
            raise UnreadableError(where.parent.as_posix(), _unreadable(error)) from error
        return [
            (where.parent / name).as_posix()
            for name in names
            if fnmatchcase(name, where.name) and not name.startswith(".")
        ]

    def _stamp_of(self, name: str) -> tuple[int, int, int] | None:
        """The stamp of one file; None for one that went since it was found, and for a folder."""
        path = self._folder / name
        try:
            if path.is_dir():
                return None
            status = path.stat()
        except FileNotFoundError as error:
            if name in self._required:
                raise UnreadableError(name, _unreadable(error)) from error
            return None
        except OSError:
            # Reading it will say why.
            return 0, 0, 0
        return status.st_mtime_ns, status.st_size, status.st_ino


def is_fresh(stamp: Stamp) -> bool:
    """Whether a file may still change without a change of its stamp."""
    return any(abs(time.time_ns() - changed_ns) < _FRESH_NS for changed_ns, _, _ in stamp.values())


def _unreadable(error: OSError) -> str:
    return f"cannot be read: {error.strerror}"
