"""A process that is killed while it puts knowledge leaves what the next put of the same source mends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from knowledge_fakes import opened_chroma
from knowledge_mortal import AT_ONCE, edition, vectors

from tool_executor.domain.knowledge import Deposited

ROOT = Path(__file__).parents[2]
PUTS = 4


async def test_a_put_that_is_cut_off_leaves_whole_editions_and_is_mended(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "tests" / "knowledge_mortal.py"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for _ in range(PUTS):
            process.stdout.readline()
        process.kill()
        rest = process.stdout.read()
    finished = PUTS + rest.count("\n") - 1
    async with opened_chroma(tmp_path, most_passages=10_000) as store:
        page = await store.sources("org-a", after="", size=9)
        left = page.sources[0].passages
        assert left in {AT_ONCE, 2 * AT_ONCE}
        mended = await store.put("org-a", edition(finished + 1), vectors())
        assert mended.of_source == AT_ONCE
        assert await store.put("org-a", edition(finished + 1), vectors()) == Deposited(0, AT_ONCE)
        hits = await store.nearest("org-a", vectors(), source="book", limit=20)
        assert {hit.passage.text.partition(":")[0] for hit in hits} == {str(finished + 1)}
