"""The state of the mesh as a JSON file, replaced atomically."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from mesh.supervisor.domain.mesh_state import MeshState, parse_state


class StateFile:
    """Writes and reads `run/mesh.json`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = asyncio.Lock()

    async def save(self, state: MeshState) -> None:
        """Replace the file by `state`. On a full disk the old one stays: that must not take the mesh down.

        Cancelled, it still ends with its write: a thread that goes on would put the file back behind its removal.
        """
        async with self._writing:
            writing = asyncio.create_task(asyncio.to_thread(self._write, state.model_dump_json(indent=2)))
            try:
                await asyncio.shield(writing)
            finally:
                await asyncio.wait({writing})

    def remove(self) -> None:
        """Remove the file. Idempotent."""
        self._path.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        fresh = self._path.with_suffix(".json.new")
        with suppress(OSError):
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._path)


def read_state(path: Path) -> MeshState | None:
    """Return the state in the file; None when there is none or it cannot be read as one."""
    try:
        return parse_state(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
