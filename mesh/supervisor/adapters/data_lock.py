"""One supervisor per data directory, by a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import PreconditionFailed

# `holder` takes the lock for an instant to see whether it is free; a start must not fail for that.
_ATTEMPTS = 10
_PAUSE_S = 0.05


@contextmanager
def holding(path: Path) -> Generator[None]:
    """Hold the lock for the duration of the block, with this process's id written in the file.

    Raises:
        PreconditionFailed: reason MESH_RUNNING, when another process holds it.
    """
    # Never closed before the end and not inherited by children: they must not keep the lock.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(descriptor):
            pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise PreconditionFailed(
                "MESH_RUNNING",
                f"A mesh is running on this data directory already (pid {pid}). "
                "Use it, stop it with `nexus down`, or choose another directory with --data.",
                metadata={"pid": pid},
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> int | None:
    """Return the process id of the lock's holder, or None when it is free.

    Raises:
        PreconditionFailed: reason DATA_DIR_UNUSABLE, when that cannot be found out, in another user's directory say.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PreconditionFailed(
            "DATA_DIR_UNUSABLE",
            f"The data directory cannot be used: {path}: {error.strerror}. "
            "Choose another with --data or NEXUS_DATA, or act as the user who owns it.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S)
        else:
            return True
    return False
