"""The group commit with processes that are killed, and with several processes on one file."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# Adds 1 to a counter and a row at a time, and prints a row's key when its commit is done.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from shared.storage import GroupCommit

path, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

async def one(writer, key):
    def add(connection):
        connection.execute("INSERT INTO things VALUES (?)", (key,))
        connection.execute("UPDATE counter SET value = value + 1")
    await writer.run(add)
    sys.stdout.write(f"{key}\\n")
    sys.stdout.flush()

async def main():
    writer = GroupCommit(path)
    await writer.start()
    async def stream(part):
        for key in range(first + part, first + count, 16):
            await one(writer, key)
    await asyncio.gather(*(stream(part) for part in range(16)))
    await writer.stop()

asyncio.run(main())
"""


def made(path: Path) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE things (key INTEGER PRIMARY KEY); CREATE TABLE counter (value INTEGER NOT NULL);"
            "INSERT INTO counter VALUES (0);"
        )
    return path


def started(path: Path, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(first), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def state(path: Path) -> tuple[set[int], int]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        stored = {row[0] for row in connection.execute("SELECT key FROM things")}
        return stored, connection.execute("SELECT value FROM counter").fetchone()[0]


def test_what_was_reported_survives_a_kill_and_no_operation_is_half_done(tmp_path: Path) -> None:
    path = made(tmp_path / "killed.sqlite")
    for turn, after in enumerate((1, 100, 1000)):
        process = started(path, turn * 1_000_000, 1_000_000)
        assert process.stdout is not None
        reported = {int(process.stdout.readline()) for _ in range(after)}
        os.kill(process.pid, signal.SIGKILL)
        # What it wrote before it died; its last line may be cut.
        lines = process.stdout.read().split("\n")[:-1]
        process.wait()
        process.stdout.close()
        reported |= {int(line) for line in lines}
        stored, counted = state(path)
        assert reported <= stored
        assert counted == len(stored)


def test_several_processes_on_one_file_lose_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "shared.sqlite")
    began = time.monotonic()
    processes = [started(path, n * 10_000, 500) for n in range(4)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    stored, counted = state(path)
    assert (len(stored), counted) == (2000, 2000)
    assert time.monotonic() - began < 60


# Its files may not grow for a while: writing fails with an error of the operating system, at the commit.
NO_ROOM = """
import asyncio, resource, sys
from pathlib import Path
from shared.errors import UpstreamDown
from shared.storage import GroupCommit

path = Path(sys.argv[1])

async def main():
    writer = GroupCommit(path)
    await writer.start()
    def add(key):
        return lambda connection: connection.execute("INSERT INTO things VALUES (?)", (key,)).rowcount
    await writer.run(add(0))
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, hard))
    found = await asyncio.gather(*(writer.run(add(key)) for key in range(1, 100)), return_exceptions=True)
    reasons = {f.reason if isinstance(f, UpstreamDown) else str(f) for f in found}
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await asyncio.gather(*(writer.run(add(key)) for key in range(100, 200)))
    await writer.stop()
    print(*reasons)

asyncio.run(main())
"""


def test_writes_that_fail_are_told_to_every_caller_and_the_next_works(tmp_path: Path) -> None:
    path = made(tmp_path / "small.sqlite")
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    )
    assert done.stdout.split()[-1] == "STORAGE_UNAVAILABLE"
    assert state(path)[0] == {0, *range(100, 200)}
