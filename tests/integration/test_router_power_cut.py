"""Who wants the ledger to survive a power cut gets every commit on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider_router.main import _store
from provider_router.settings import Settings
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies

# https://sqlite.org/pragma.html#pragma_synchronous
NORMAL, FULL = 1, 2


@pytest.mark.parametrize(("survives", "synchronous"), [(False, NORMAL), (True, FULL)])
async def test_the_writer_waits_for_the_disk_where_that_is_asked_for(
    tmp_path: Path, survives: bool, synchronous: int
) -> None:
    settings = Settings(data_dir=tmp_path, survives_power_cuts=survives)
    store = _store(settings, Dependencies(SystemClock(), new_id, lambda _: None))
    await store.database.open()
    await store.writer.start()
    found = await store.writer.run(lambda connection: connection.execute("PRAGMA synchronous").fetchone())
    await store.writer.stop()
    await store.database.close()
    assert found == (synchronous,)
