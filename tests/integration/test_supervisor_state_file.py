"""The state file of the mesh: what is removed stays removed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh.supervisor.adapters.state_store_file import StateFile, read_state
from mesh.supervisor.domain.mesh_state import MeshPhase, MeshState

STATE = MeshState(
    phase=MeshPhase.READY, supervisor_pid=1, started_at=datetime.now(UTC), data_dir="d", socket_dir="", services=()
)


class SlowStateFile(StateFile):
    """Writes as on a slow disk."""

    def _write(self, text: str) -> None:
        time.sleep(0.2)
        super()._write(text)


async def test_a_cancelled_save_does_not_come_back_after_the_removal(tmp_path: Path) -> None:
    file = SlowStateFile(tmp_path / "mesh.json")
    saving = asyncio.create_task(file.save(STATE))
    await asyncio.sleep(0.05)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    file.remove()
    await asyncio.sleep(0.4)
    assert not (tmp_path / "mesh.json").exists()


async def test_a_full_disk_keeps_the_old_state(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "mesh.json")
    await file.save(STATE)
    (tmp_path / "mesh.json.new").mkdir()
    await file.save(STATE.model_copy(update={"supervisor_pid": 2}))
    assert read_state(tmp_path / "mesh.json") == STATE
