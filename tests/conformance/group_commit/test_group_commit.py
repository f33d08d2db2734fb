"""What the group commit promises, on real files."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import QuotaExceeded, UpstreamDown
from shared.storage import GroupCommit


def insert(key: int, value: str = ""):
    def operation(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO things VALUES (?, ?)", (key, value))
        return key

    return operation


def refused(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO things VALUES (-1, 'never')")
    raise QuotaExceeded("TOO_MUCH", "No.")


def keys(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT key FROM things ORDER BY rowid")]
    finally:
        connection.close()


class Gate:
    """Holds the writer in an operation, so that what is queued meanwhile is one batch."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.statements: list[str] = []

    def __call__(self, connection: sqlite3.Connection) -> None:
        self.entered.set()
        assert self.open.wait(10)
        connection.set_trace_callback(self.statements.append)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "with spaces & ünïcode?#.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (key INTEGER PRIMARY KEY, value TEXT NOT NULL)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[GroupCommit]:
    writer = GroupCommit(path)
    await writer.start()
    yield writer
    await writer.stop()


async def test_a_result_is_there_after_its_commit(writer: GroupCommit, path: Path) -> None:
    assert await writer.run(insert(7)) == 7
    assert keys(path) == [7]


async def test_what_queues_up_is_committed_in_one_transaction_in_order(writer: GroupCommit, path: Path) -> None:
    gate = Gate()
    first = writer.run(gate)
    await asyncio.to_thread(gate.entered.wait)
    rest = [writer.run(insert(key)) for key in range(100, 0, -1)]
    gate.open.set()
    await first
    assert await asyncio.gather(*rest) == list(range(100, 0, -1))
    assert keys(path) == sorted(range(1, 101))
    inserts = [s for s in gate.statements if s.startswith("INSERT")]
    assert [int(s.split("(")[1].split(",")[0]) for s in inserts] == list(range(100, 0, -1))
    # The gate's own transaction ends; then one for all the rest.
    assert [s for s in gate.statements if s.startswith(("BEGIN", "COMMIT"))] == ["COMMIT", "BEGIN IMMEDIATE", "COMMIT"]


async def test_a_batch_has_a_limit(path: Path) -> None:
    writer = GroupCommit(path, max_batch=10)
    await writer.start()
    gate = Gate()
    waiting = [writer.run(gate)]
    await asyncio.to_thread(gate.entered.wait)
    waiting += [writer.run(insert(key)) for key in range(25)]
    gate.open.set()
    await asyncio.gather(*waiting)
    await writer.stop()
    assert gate.statements.count("BEGIN IMMEDIATE") == 3


async def test_an_operation_that_raises_leaves_no_trace_and_disturbs_no_other(writer: GroupCommit, path: Path) -> None:
    gate = Gate()
    first = writer.run(gate)
    await asyncio.to_thread(gate.entered.wait)
    rest = [writer.run(op) for op in (insert(1), refused, insert(1), insert(2))]
    gate.open.set()
    await first
    found = await asyncio.gather(*rest, return_exceptions=True)
    assert (found[0], found[3]) == (1, 2)
    assert isinstance(found[1], QuotaExceeded)
    assert isinstance(found[2], sqlite3.IntegrityError)
    assert keys(path) == [1, 2]


async def test_an_operation_that_is_alone_leaves_no_trace_when_it_raises(writer: GroupCommit, path: Path) -> None:
    with pytest.raises(QuotaExceeded):
        await writer.run(refused)
    assert keys(path) == []
    assert await writer.run(insert(1)) == 1


async def test_a_wrong_statement_is_a_storage_failure_with_its_cause(writer: GroupCommit) -> None:
    with pytest.raises(UpstreamDown, match="STORAGE_UNAVAILABLE") as caught:
        await writer.run(lambda connection: connection.execute("SELECT * FROM nothing"))
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT", "RELEASE one"])
@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("alone", [True, False])
async def test_an_operation_that_ends_the_transaction_fails_and_the_next_works(
    writer: GroupCommit, end: str, raises: bool, alone: bool
) -> None:
    def rude(connection: sqlite3.Connection) -> None:
        connection.execute(end)
        if raises:
            raise ValueError

    gate = Gate()
    first = writer.run(gate)
    await asyncio.to_thread(gate.entered.wait)
    both = [writer.run(rude)] if alone else [writer.run(rude), writer.run(insert(5))]
    gate.open.set()
    await first
    found = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(f, UpstreamDown | ValueError) for f in found)
    assert len(found) == 1 or isinstance(found[1], UpstreamDown)
    assert await writer.run(insert(6)) == 6


async def test_a_full_disk_fails_the_whole_batch_and_the_next_works(writer: GroupCommit, path: Path) -> None:
    def limit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    await writer.run(limit)
    gate = Gate()
    first = writer.run(gate)
    await asyncio.to_thread(gate.entered.wait)
    rest = [writer.run(op) for op in (insert(1), insert(2, "x" * 100_000), insert(3))]
    gate.open.set()
    await first
    found = await asyncio.gather(*rest, return_exceptions=True)
    # SQLite rolls back either the statement or everything; what was reported as done is there, the rest is not.
    done = [f for f in found if isinstance(f, int)]
    assert keys(path) == done
    failed = [f for f in found if not isinstance(f, int)]
    assert {f.reason for f in failed} == {"STORAGE_FULL"}
    assert found[1] in failed
    await writer.run(lambda connection: connection.execute("PRAGMA max_page_count=100000").fetchone())
    assert await writer.run(insert(4)) == 4


async def test_a_locked_file_is_busy_and_works_again(path: Path) -> None:
    writer = GroupCommit(path, busy_ms=50)
    await writer.start()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UpstreamDown, match="STORAGE_BUSY") as caught:
        await writer.run(insert(1))
    assert caught.value.retry_after_s == 1
    other.execute("ROLLBACK")
    other.close()
    assert await writer.run(insert(1)) == 1
    await writer.stop()


async def test_too_many_waiting_are_refused_at_once(path: Path) -> None:
    writer = GroupCommit(path, max_waiting=3)
    await writer.start()
    gate = Gate()
    waiting = [writer.run(gate), writer.run(insert(1)), writer.run(insert(2))]
    with pytest.raises(UpstreamDown, match="STORAGE_BUSY") as caught:
        writer.run(insert(3))
    assert caught.value.retry_after_s == 1
    gate.open.set()
    await asyncio.gather(*waiting)
    assert await writer.run(insert(4)) == 4
    await writer.stop()
    assert keys(path) == [1, 2, 4]


async def test_a_cancelled_caller_does_not_stop_the_operation(writer: GroupCommit, path: Path) -> None:
    gate = Gate()
    first = writer.run(gate)

    async def call() -> int:
        return await writer.run(insert(1))

    task = asyncio.create_task(call())
    await asyncio.to_thread(gate.entered.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open.set()
    await first
    assert await writer.run(insert(2)) == 2
    assert keys(path) == [1, 2]


async def test_stopping_carries_out_what_is_queued(path: Path) -> None:
    writer = GroupCommit(path, max_batch=7)
    await writer.start()
    waiting = [writer.run(insert(key)) for key in range(100)]
    await writer.stop()
    await writer.stop()
    assert await asyncio.gather(*waiting) == list(range(100))
    with pytest.raises(UpstreamDown, match="STORAGE_CLOSED"):
        writer.run(insert(100))
    await writer.start()
    assert await writer.run(insert(100)) == 100
    await writer.stop()
    assert len(keys(path)) == 101


async def test_a_missing_file_is_told_at_the_start_and_not_made(tmp_path: Path) -> None:
    writer = GroupCommit(tmp_path / "missing.sqlite")
    with pytest.raises(UpstreamDown, match="STORAGE_UNAVAILABLE"):
        await writer.start()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UpstreamDown, match="STORAGE_CLOSED"):
        writer.run(insert(1))
    await writer.stop()
