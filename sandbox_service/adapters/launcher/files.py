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


def list_files() -> tuple[list[tuple[str, int, int]], bool]:
    """Return the regular files of the workspace, by path, and whether there are more.

    Of each its path, its size in bytes, and when it was changed last, in nanoseconds since the epoch.
    """
    found: list[tuple[str, int, int]] = []
    folder = _workspace()
    try:
        whole = _walk(folder, "", found, 0)
    finally:
        os.close(folder)
    return sorted(found), not whole


def _walk(folder: int, prefix: str, found: list[tuple[str, int, int]], depth: int) -> bool:
    """Add what is below `folder`; say whether all of it was looked at."""
    whole = depth < _MAX_DEPTH
    for name in sorted(os.listdir(folder)) if whole else ():
        if len(found) >= MAX_LISTED:
            return False
        try:
            name.encode()
            state = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(state.st_mode):
                found.append((prefix + name, state.st_size, state.st_mtime_ns))
            elif stat.S_ISDIR(state.st_mode):
                inner = kernel.open_beneath(folder, name, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    whole = _walk(inner, f"{prefix}{name}/", found, depth + 1) and whole
                finally:
                    os.close(inner)
        except (OSError, UnicodeError):
            continue  # it went in between, or has a name that cannot be said
    return whole
