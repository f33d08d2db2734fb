"""An effect whose process is killed in the middle never happens again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools_memory_rig import Memories, call, quickly
from tools_store import ToolStore

TESTS = Path(__file__).resolve().parent.parent


async def test_an_effect_survives_a_killed_process_as_unknown(tmp_path: Path) -> None:
    database, effects = tmp_path / "tools.sqlite", tmp_path / "effects"
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    with subprocess.Popen(
        [sys.executable, TESTS / "tools_effect_mortal.py", database, effects],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    ) as mortal:
        try:
            assert mortal.stdout is not None
            assert mortal.stdout.readline() == b"done\n"
        finally:
            mortal.kill()
    counter: list[int] = []
    for _ in range(2):
        async with ToolStore(database) as store:
            told = await Memories(store).memory.once(call(1), quickly(counter))
            assert told.error_reason == "EFFECT_UNKNOWN"
            await Memories(store).memory.once(call(2), quickly(counter, "x"))
    assert counter == [1]
    assert effects.read_text() == "paid\n"
