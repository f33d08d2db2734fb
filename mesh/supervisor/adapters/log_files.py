"""Log files that cannot fill the disk: over its limit, a log is copied to `<name>.1` and emptied.

The copy is needed because the process keeps its descriptor; it appends, so it goes on at the start of the emptied file.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from mesh.supervisor.domain.process_spec import ProcessSpec

DEFAULT_LIMIT_BYTES = 8 * 1024 * 1024
_TAIL_BYTES = 64 * 1024


def open_log(path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> int:
    """Return a descriptor that appends to the log at `path`, which is rotated first when it is over the limit."""
    rotate(path, limit_bytes)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def rotate(path: Path, limit_bytes: int) -> bool:
    """Copy a log over the limit to `<name>.1`, over an earlier one, and empty it; return whether that was done."""
    try:
        if path.stat().st_size <= limit_bytes:
            return False
    except FileNotFoundError:
        return False
    shutil.copy2(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def tail(path: Path, lines: int) -> str:
    """Return at most the last `lines` lines of the file; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


class LogFiles:
    """The logs as files, with work on the disk done off the event loop."""

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes

    async def read(self, spec: ProcessSpec, lines: int) -> str:
        """Return at most the last `lines` lines of the process's log."""
        return await asyncio.to_thread(tail, Path(spec.log_file), lines)

    async def trim(self, spec: ProcessSpec) -> None:
        """Set the log aside when it is over the limit."""
        await asyncio.to_thread(rotate, Path(spec.log_file), self._limit_bytes)
