"""The first owner's key in a local file of mode 0600."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path


class LocalKeyFile:
    """Writes the key to `path`, by way of a temporary file beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def write(self, api_key: str) -> None:
        """Write `api_key`, over an earlier one, on the disk before this returns."""
        await asyncio.to_thread(self._write, api_key)

    def _write(self, api_key: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self._path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{api_key}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
