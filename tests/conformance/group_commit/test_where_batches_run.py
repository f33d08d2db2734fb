"""Which batches the event loop carries out itself, and which it leaves to the thread."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from shared.errors import UpstreamDown
from shared.storage import GroupCommit

LOOP = threading.main_thread().ident


class Places:
    """Notes in which thread it was used, and writes a row for each use."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.threads: list[int] = []
        self.noted = 0
        self.pause_s = 0.0

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        self.connection, self.noted = connection, 0

    def end(self) -> None:
        for _ in range(self.noted):
            self.connection.execute("INSERT INTO things (text) VALUES ('a thing')")
        self.noted = 0

    def use(self) -> int:
        time.sleep(self.pause_s)
        self.noted += 1
        self.threads.append(threading.get_ident())
        return self.noted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "things.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, text TEXT)")
        connection.commit()
    return tmp_path / "things.sqlite"


@asynccontextmanager
async def started(writer: GroupCommit) -> AsyncIterator[tuple[Places, Callable[[], asyncio.Future[int]]]]:
    await writer.start()
    places = writer.notebook(Places)
    yield places, lambda: writer.note(places.use, places)
    await writer.stop()


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM things").fetchone()[0]


async def test_notes_are_written_in_the_loop_and_all_else_in_the_thread(path: Path) -> None:
    writer = GroupCommit(path)
    async with started(writer) as (places, use):
        assert await use() == 1
        assert places.threads == [LOOP]
        assert await writer.run(lambda _: threading.get_ident()) != LOOP
        await asyncio.gather(use(), writer.run(lambda _: None))
        assert places.threads[1] != LOOP
        await use()
        assert places.threads[2] == LOOP
    assert rows(path) == 3


async def test_with_a_sync_for_each_commit_all_is_written_in_the_thread(path: Path) -> None:
    async with started(GroupCommit(path, synchronous="FULL")) as (places, use):
        await use()
        assert LOOP not in places.threads


async def test_a_locked_file_is_waited_for_in_the_thread(path: Path) -> None:
    async with started(GroupCommit(path, busy_ms=5000)) as (places, use):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting, began_s = use(), time.monotonic()
            await asyncio.sleep(0.05)
            assert time.monotonic() - began_s < 1, "the loop waited"
            assert not waiting.done()
            other.execute("COMMIT")
        await waiting
        assert places.threads[0] != LOOP
        await use()
        assert places.threads[1] == LOOP


async def test_slow_commits_are_left_to_the_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.storage.group_commit._SLOW_FOR_S", 0.2)
    async with started(GroupCommit(path)) as (places, use):
        places.pause_s = 0.05
        while places.threads[-1:] in ([], [LOOP]):
            await use()
            assert len(places.threads) < 50, "no end of slow commits in the loop"
        places.pause_s = 0.0
        await asyncio.sleep(0.25)
        await use()
        assert places.threads[-1] == LOOP


async def test_the_log_does_not_grow_for_ever(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    async with started(GroupCommit(path)) as (_, use):
        sizes: list[int] = []
        for _ in range(20):
            for _ in range(10):
                await asyncio.gather(*(use() for _ in range(60)))
            sizes.append(log.stat().st_size)
    assert sizes[-1] < 1.5 * sizes[7], "it is not begun anew after a checkpoint"
    assert rows(path) == 12_000


async def test_large_rows_do_not_make_a_large_log(path: Path) -> None:
    log, writer = path.with_name(path.name + "-wal"), GroupCommit(path)

    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO things (text) VALUES (?)", ("x" * 1_000_000,))

    async with started(writer) as (_, use):
        for _ in range(60):
            await writer.run(write)
            await use()
        assert log.stat().st_size < 30_000_000


async def test_more_than_the_loop_takes_at_once_is_written_in_order(path: Path) -> None:
    async with started(GroupCommit(path)) as (places, use):
        found = await asyncio.gather(*(use() for _ in range(500)))
    assert len(found) == rows(path) == 500
    assert max(found) <= 64
    assert set(places.threads) == {LOOP}


async def test_what_nobody_waits_for_goes_with_the_next_or_soon(path: Path) -> None:
    writer = GroupCommit(path)
    async with started(writer) as (places, use):
        writer.note_soon(places.use, places)
        assert await use() == 2
        writer.note_soon(places.use, places)
        async with asyncio.timeout(5):
            while rows(path) < 3:
                await asyncio.sleep(0.005)
        writer.note_soon(places.use, places)
    assert rows(path) == 4


async def test_stopping_waits_for_what_is_on_its_way(path: Path) -> None:
    writer = GroupCommit(path, max_batch=3)
    await writer.start()
    places = writer.notebook(Places)
    held = threading.Event()
    first = writer.run(lambda _: held.wait(10))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [writer.note(places.use, places) for _ in range(10)]
    stopping = asyncio.create_task(writer.stop())
    await asyncio.sleep(0.02)
    held.set()
    await stopping
    await asyncio.gather(first, *rest)
    assert rows(path) == 10
    with pytest.raises(UpstreamDown, match="STORAGE_CLOSED"):
        writer.note_soon(places.use, places)


async def test_one_that_cannot_be_told_disturbs_no_other(path: Path) -> None:
    """What `failed` raises goes to the event loop, which logs it."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    writer = GroupCommit(path)

    def defect() -> None:
        raise KeyError("a notebook is wrong")

    def raises(error: Exception) -> None:
        raise ValueError("it cannot be told")

    async with started(writer) as (places, use):
        both = [writer.note(defect, places, failed=raises), use()]
        found = await asyncio.gather(*both, return_exceptions=True)
        assert [type(each) for each in found] == [UpstreamDown, UpstreamDown]
        assert [type(each) for each in told] == [ValueError]
        assert await use() == 1
        held = [writer.run(lambda _: None), writer.note(defect, places, failed=raises)]
        assert isinstance((await asyncio.gather(*held, return_exceptions=True))[1], UpstreamDown)
        assert await use() == 1
    assert rows(path) == 2


async def test_a_defect_is_in_the_log(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = GroupCommit(path)

    def defect() -> None:
        raise KeyError("a notebook is wrong")

    async with started(writer) as (places, _):
        with pytest.raises(UpstreamDown, match="STORAGE_UNAVAILABLE"):
            await writer.note(defect, places)
        with pytest.raises(UpstreamDown, match="STORAGE_UNAVAILABLE"):
            await writer.run(lambda connection: connection.execute("SELECT * FROM things_of_yesterday"))
    said = capsys.readouterr()
    assert "a notebook is wrong" in said.out + said.err
    assert "no such table: things_of_yesterday" in said.out + said.err
