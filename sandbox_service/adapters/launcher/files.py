"""Reads and writes files of a workspace for the service, while or after an untrusted program has worked in it.

Every path is walked from a descriptor of the workspace, without symbolic links, and what is found has to be a regular
file with one name: no device, no FIFO that blocks, no hard link.
"""

from __future__ import annotations

import os
import stat

from sandbox_service.adapters.launcher import kernel
from sandbox_service.adapters.launcher.layout import WORKSPACE

MAX_LISTED = 4096
_COPY_BYTES = 1 << 20
_MAX_DEPTH = 32
_MAX_PATH_BYTES = 1024
_MAX_LISTED_BYTES = 384 << 10
_MAX_LOOKED_AT = 4 * MAX_LISTED


class RefusedFileError(Exception):
    """A file cannot be given or taken.

    Attributes:
        reason: `not_found`, `not_regular`, `linked`, `not_permitted`, `no_space`, `offset_beyond_end`, `path_invalid`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


_REASONS = {
    1: "not_permitted",
    2: "not_found",
    6: "not_regular",
    13: "not_permitted",
    18: "path_invalid",
    20: "not_found",
    21: "not_regular",
    27: "no_space",
    28: "no_space",
    36: "path_invalid",
    40: "path_invalid",
}
"""By errno."""


def _refused(error: OSError) -> RefusedFileError:
    return RefusedFileError(_REASONS.get(error.errno or 0, "not_permitted"))


def _workspace() -> int:
    return os.open(WORKSPACE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _checked(fd: int) -> os.stat_result:
    """Return what is known of an open file; closes it and refuses when it is no plain one."""
    state = os.fstat(fd)
    reason = "not_regular" if not stat.S_ISREG(state.st_mode) else "linked" if state.st_nlink != 1 else ""
    if reason:
        os.close(fd)
        raise RefusedFileError(reason)
    return state


def open_for_reading(path: str) -> int:
    """Return a descriptor of the file at `path`.

    Raises:
        RefusedFileError: when there is none, or none that may be given.
    """
    folder = _workspace()
    try:
        # Not waiting, so that a FIFO is opened and then refused.
        fd = kernel.open_beneath(folder, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise _refused(error) from error
    finally:
        os.close(folder)
    _checked(fd)
    return fd


def _make_folders(folder: int, parts: list[str]) -> None:
    for depth in range(1, len(parts)):
        path = "/".join(parts[:depth])
        parent = kernel.open_beneath(folder, "/".join(parts[: depth - 1]) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.mkdir(parts[depth - 1], 0o755, dir_fd=parent)
        except FileExistsError:
            pass
        finally:
            os.close(parent)
        os.close(kernel.open_beneath(folder, path, os.O_RDONLY | os.O_DIRECTORY))


def write(path: str, offset: int, content_fd: int) -> int:
    """Copy `content_fd` to `path` from `offset` on, where the file then ends; return its size.

    Raises:
        RefusedFileError: when it cannot be written there.
    """
    folder = _workspace()
    try:
        _make_folders(folder, path.split("/"))
        target = kernel.open_beneath(folder, path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
    except OSError as error:
        raise _refused(error) from error
    finally:
        os.close(folder)
    if _checked(target).st_size < offset:
        os.close(target)
        raise RefusedFileError("offset_beyond_end")
    try:
        os.ftruncate(target, offset)
        return offset + _copy(content_fd, target, offset)
    except OSError as error:
        raise _refused(error) from error
    finally:
        os.close(target)


def _copy(source: int, target: int, offset: int) -> int:
    copied = 0
    while part := os.pread(source, _COPY_BYTES, copied):
        view = memoryview(part)
        while view:
            written = os.pwrite(target, view, offset + copied)
            copied += written
            view = view[written:]
    return copied


class _Found:
    """What a walk has found so far, within bounds."""

    def __init__(self) -> None:
        self.files: list[tuple[str, int, int]] = []
        self.truncated = False
        self._looked_at = 0
        self._path_bytes = 0

    def may_look(self) -> bool:
        """Count one more name; a program that moves folders about meanwhile could keep a walk going for ever."""
        self._looked_at += 1
        self.truncated |= self._looked_at > _MAX_LOOKED_AT
        return self._looked_at <= _MAX_LOOKED_AT

    def add(self, path: str, state: os.stat_result) -> None:
        """Add a file; one whose path nobody could ask for is left out."""
        size = len(path.encode())
        self._path_bytes += size
        if size > _MAX_PATH_BYTES or len(self.files) >= MAX_LISTED or self._path_bytes > _MAX_LISTED_BYTES:
            self.truncated = True
        else:
            self.files.append((path, state.st_size, state.st_mtime_ns))


def list_files() -> tuple[list[tuple[str, int, int]], bool]:
    """Return (path, bytes, last change in ns) of the workspace's regular files, by path, and whether there are more."""
    found = _Found()
    folder = _workspace()
    try:
        _walk(folder, "", found, 0)
    finally:
        os.close(folder)
    return sorted(found.files), found.truncated


def _walk(folder: int, prefix: str, found: _Found, depth: int) -> None:
    """Add what is below `folder`."""
    if depth >= _MAX_DEPTH:
        found.truncated = True
        return
    for name in sorted(os.listdir(folder)):
        if not found.may_look():
            return
        try:
            name.encode()
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode):
                found.add(prefix + name, state)
            elif stat.S_ISDIR(state.st_mode):
                inner = kernel.open_beneath(folder, name, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    _walk(inner, f"{prefix}{name}/", found, depth + 1)
                finally:
                    os.close(inner)
        except (OSError, UnicodeError):
            continue  # it went in between, or has a name that cannot be said
