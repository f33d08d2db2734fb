"""The log with processes that are killed, and with several processes on one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from test_decision_log import chain_of

from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog

ROOT = Path(__file__).resolve().parents[3]
# Writes records, 16 at a time, and prints a record's id when it is written.
PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, "tests")
from router_decision_fakes import decided_in, world_of
from router_decisions import DECISION
from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog
from shared.storage import Database, GroupCommit

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
world = world_of()
decision = decided_in(world, DECISION)

async def main():
    writer = GroupCommit(path)
    await writer.start()
    log = SqliteDecisionLog(Database(path, "provider_router.adapters.migrations"), writer)
    async def stream(part):
        for number in range(part, count, 16):
            await log.append(f"{name}-{number}", decision, world)
            sys.stdout.write(f"{name}-{number}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(stream(part) for part in range(16)))
    await writer.stop()

asyncio.run(main())
"""


def started(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROGRAM, str(path), name, str(count)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def test_a_kill_leaves_a_whole_chain_with_everything_that_was_reported(
    sqlite_log: SqliteDecisionLog, storage
) -> None:
    reported: set[str] = set()
    for turn, after in enumerate((1, 200)):
        process = started(storage.path, f"turn{turn}", 1_000_000)
        assert process.stdout is not None
        reported |= {process.stdout.readline().strip() for _ in range(after)}
        os.kill(process.pid, signal.SIGKILL)
        # Its last line may be cut.
        reported |= set(process.stdout.read().split("\n")[:-1])
        process.wait()
        process.stdout.close()
        stored = {each.decision_id for each in await chain_of(sqlite_log)}
        assert reported <= stored


async def test_several_processes_make_one_chain(sqlite_log: SqliteDecisionLog, storage) -> None:
    processes = [started(storage.path, name, 200) for name in ("one", "two", "three")]
    reported: set[str] = set()
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        reported |= set(output.split())
    assert {each.decision_id for each in await chain_of(sqlite_log)} == reported
    assert len(reported) == 600
