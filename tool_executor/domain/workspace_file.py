"""Files of a workspace: which a program has left, and which of them are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tool_executor.domain.artifact import size_words

MOST_KEPT_FILES = 16
MOST_KEPT_BYTES = 8 * 1024 * 1024
"""Of all files of one call that are kept without being asked for."""
_PASSING = frozenset({"__pycache__", "node_modules"})
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A regular file of a workspace.

    Args:
        path: relative to the workspace.
        size_bytes: its size.
        changed_ns: when it was changed last, in nanoseconds since the epoch, as programs have set it.
    """

    path: str
    size_bytes: int
    changed_ns: int = 0


@dataclass(frozen=True, slots=True)
class FileListing:
    """The files of a workspace, by path; `truncated` says whether there are more."""

    files: tuple[FileEntry, ...]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class FilePart:
    """A piece of a file.

    Args:
        data: the piece.
        size_bytes: of the whole file.
        media_type: by its name and first bytes.
    """

    data: bytes
    size_bytes: int
    media_type: str


@dataclass(frozen=True, slots=True)
class FileIn:
    """A file that goes in: where, relative to the workspace, and its content."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class LeftFiles:
    """What a program without a workspace has left: the files, and what is said of those that were not taken."""

    files: tuple[FileIn, ...] = ()
    notes: tuple[str, ...] = ()


class FileChoice:
    """Chooses which files are kept: no hidden and no passing ones, as many as the limits allow, in order."""

    def __init__(self) -> None:
        self._files = MOST_KEPT_FILES
        self._bytes = MOST_KEPT_BYTES
        self._left_out: list[str] = []

    def takes(self, path: str, size_bytes: int) -> bool:
        """Return whether a file is kept, and count it."""
        if is_passing(path):
            return False
        if not self._files or size_bytes > self._bytes:
            self.leave_out(path, size_bytes)
            return False
        self._files -= 1
        self._bytes -= size_bytes
        return True

    def leave_out(self, path: str, size_bytes: int | None = None) -> None:
        """Note a file that is not kept."""
        self._left_out.append(path if size_bytes is None else f"{path} ({size_words(size_bytes)})")

    def notes(self, remedy: str) -> tuple[str, ...]:
        """Return what is to be said of files that were left out, with what to do about it."""
        if not self._left_out:
            return ()
        more = len(self._left_out) - _MOST_NAMED
        named = ", ".join(self._left_out[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        limits = f"more than {MOST_KEPT_FILES} files or {size_words(MOST_KEPT_BYTES)}"
        return (f"Not kept as artifacts, since a call keeps no {limits}: {named}. {remedy}",)


def is_passing(path: str) -> bool:
    """Return whether a file is hidden, or made by programs for themselves."""
    return any(part.startswith(".") or part in _PASSING for part in path.split("/"))


def changed_files(before: Iterable[FileEntry], after: Iterable[FileEntry]) -> list[FileEntry]:
    """Return the files of `after` that are new or not as they were before, by path."""
    known = {(each.path, each.size_bytes, each.changed_ns) for each in before}
    return [each for each in after if (each.path, each.size_bytes, each.changed_ns) not in known]
