"""What the group commit promises of notebooks, on real files."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import QuotaExceeded, UpstreamDown
from shared.storage import GroupCommit, ManyRows

PUT = ManyRows("INSERT INTO counts VALUES {rows} ON CONFLICT DO UPDATE SET number = excluded.number", "(?, ?)")


class Counts:
    """Counts in memory, and writes what changed."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.generation = -1
        self.known: dict[str, int] = {}
        self.changed: set[str] = set()
        self.reads = 0

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        self.connection = connection
        self.changed.clear()
        if generation != self.generation:
            self.generation = generation
            self.known.clear()

    def end(self) -> None:
        if self.changed:
            PUT.execute(self.connection, [(name, self.known[name]) for name in sorted(self.changed)])
        if "broken" in self.changed:
            raise ValueError("cannot be written")
        self.changed.clear()

    def add(self, name: str, most: int = 1_000_000) -> int:
        if name not in self.known:
            self.reads += 1
            row = self.connection.execute("SELECT number FROM counts WHERE name = ?", (name,)).fetchone()
            self.known[name] = row[0] if row else 0
        if self.known[name] >= most:
            raise QuotaExceeded("TOO_MUCH", "No.")
        self.known[name] += 1
        self.changed.add(name)
        return self.known[name]


def stored(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT name, number FROM counts"))
    finally:
        connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "counts.sqlite")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE counts (name TEXT PRIMARY KEY, number INTEGER NOT NULL)")
    connection.commit()
    connection.close()
    return tmp_path / "counts.sqlite"


@pytest.fixture
async def writers(path: Path) -> AsyncIterator[list[GroupCommit]]:
    writers = [GroupCommit(path), GroupCommit(path)]
    for writer in writers:
        await writer.start()
    yield writers
    for writer in writers:
        await writer.stop()


@pytest.fixture
def writer(writers: list[GroupCommit]) -> GroupCommit:
    return writers[0]


async def test_what_is_noted_together_is_written_with_one_statement(writer: GroupCommit, path: Path) -> None:
    counts, statements = writer.notebook(Counts), list[str]()
    await writer.run(lambda connection: connection.set_trace_callback(statements.append))
    found = await asyncio.gather(*(writer.note(lambda: counts.add("a"), counts) for _ in range(50)))
    assert found == list(range(1, 51))
    assert stored(path) == {"a": 50}
    begun = [each.partition(" ")[0] for each in statements[statements.index("BEGIN IMMEDIATE") :]]
    assert begun == ["BEGIN", "PRAGMA", "SELECT", "INSERT", "COMMIT"]


async def test_a_refusal_in_the_middle_disturbs_no_other(writer: GroupCommit, path: Path) -> None:
    counts = writer.notebook(Counts)
    found = await asyncio.gather(
        *(writer.note(lambda: counts.add("a", most=3), counts) for _ in range(5)),
        writer.note(lambda: counts.add("b"), counts),
        return_exceptions=True,
    )
    assert [each for each in found if isinstance(each, int)] == [1, 2, 3, 1]
    assert [each.reason for each in found if isinstance(each, QuotaExceeded)] == ["TOO_MUCH"] * 2
    assert stored(path) == {"a": 3, "b": 1}


async def test_what_is_known_is_not_read_again(writer: GroupCommit) -> None:
    counts = writer.notebook(Counts)
    for _ in range(5):
        await writer.note(lambda: counts.add("a"), counts)
    assert counts.reads == 1


async def test_what_others_wrote_is_seen(writers: list[GroupCommit], path: Path) -> None:
    one, two = (writer.notebook(Counts) for writer in writers)
    for _ in range(10):
        await writers[0].note(lambda: one.add("a"), one)
        await writers[1].note(lambda: two.add("a"), two)
    assert stored(path) == {"a": 20}


async def test_two_writers_at_once_lose_nothing(writers: list[GroupCommit], path: Path) -> None:
    notebooks = [writer.notebook(Counts) for writer in writers]

    async def add(which: int) -> int:
        return await writers[which].note(lambda: notebooks[which].add("a"), notebooks[which])

    found = await asyncio.gather(*(add(n % 2) for n in range(400)))
    assert sorted(found) == list(range(1, 401))
    assert stored(path) == {"a": 400}


async def test_an_operation_with_statements_sees_what_was_noted_and_is_seen(writer: GroupCommit, path: Path) -> None:
    counts = writer.notebook(Counts)
    noted = writer.note(lambda: counts.add("a"), counts)
    changed = writer.run(lambda connection: connection.execute("UPDATE counts SET number = number + 10").rowcount)
    after = writer.note(lambda: counts.add("a"), counts)
    assert [await noted, await changed, await after] == [1, 1, 12]
    assert stored(path) == {"a": 12}


async def test_a_notebook_that_cannot_be_written_fails_the_transaction_and_is_forgotten(
    writer: GroupCommit, path: Path
) -> None:
    counts, heard = writer.notebook(Counts), list[Exception]()
    await writer.note(lambda: counts.add("a"), counts)
    lost = [
        writer.note(lambda: counts.add("a"), counts, failed=heard.append),
        writer.note(lambda: counts.add("broken"), counts),
    ]
    found = await asyncio.gather(*lost, return_exceptions=True)
    assert all(isinstance(each, UpstreamDown) for each in found)
    assert len(heard) == 1
    assert await writer.note(lambda: counts.add("a"), counts) == 2
    assert stored(path) == {"a": 2}


async def test_whoever_left_is_told_of_a_failure_all_the_same(writer: GroupCommit) -> None:
    counts, heard, held = writer.notebook(Counts), list[Exception](), threading.Event()
    busy = writer.run(lambda _: held.wait(5))
    left = writer.note(lambda: counts.add("a", most=0), counts, failed=heard.append)
    await asyncio.sleep(0)
    left.cancel()
    held.set()
    await busy
    await writer.run(lambda _: None)
    assert [each.reason for each in heard if isinstance(each, QuotaExceeded)] == ["TOO_MUCH"]


async def test_what_nobody_waits_for_is_there_before_what_comes_after_it(writer: GroupCommit, path: Path) -> None:
    counts = writer.notebook(Counts)
    writer.note_soon(lambda: counts.add("a"), counts)
    assert await writer.note(lambda: counts.add("a"), counts) == 2
    writer.note_soon(lambda: counts.add("a"), counts)
    await writer.stop()
    assert stored(path) == {"a": 3}


def test_rows_of_any_number_are_written_in_order() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE counts (name TEXT PRIMARY KEY, number INTEGER NOT NULL)")
    put = ManyRows("INSERT OR IGNORE INTO counts VALUES {rows}", "(?, ?)")
    for number in (0, 1, 7, 200):
        connection.execute("DELETE FROM counts")
        assert put.execute(connection, [(f"n{n}", n) for n in range(number)]) == number
        assert [row[0] for row in connection.execute("SELECT number FROM counts ORDER BY rowid")] == list(range(number))
    assert put.execute(connection, [("n1", 1), ("new", 2), ("n2", 3)]) == 1
    connection.close()
