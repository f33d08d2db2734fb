"""Port: publishing the state of the mesh."""

from __future__ import annotations

from typing import Protocol

from mesh.supervisor.domain.mesh_state import MeshState


class StateStore(Protocol):
    """Keeps the newest state where other processes find it."""

    async def save(self, state: MeshState) -> None:
        """Replace the stored state by `state`; a reader sees the old or the new one, never a part."""
        ...
