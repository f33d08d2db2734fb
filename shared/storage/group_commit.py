"""Many small writes in few transactions, for hot paths.

What queues up while the event loop goes round once is committed in one transaction. So an operation costs a few
statements instead of a transaction of its own, and nobody waits for a timer. ADR 8 has the reasons, ADR 15 those for
where it is done: in the event loop's own thread, for as long as that takes next to no time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from shared.errors import UpstreamDown
from shared.storage.batch import Failed, Noting, Operation, T, Task, begins, commit, failure_of
from shared.storage.notebook import N, Notebook, Notebooks
from shared.storage.sqlite_file import BUSY_TIMEOUT_MS, Synchronous, pragmas, storage_busy

_STATEMENTS_KEPT = 256
_MOST_IN_LOOP = 64
"""Operations that the event loop carries out at once; a millisecond's work."""
_SLOW_S = 0.02
_SLOW_FOR_S = 10.0
"""A disk that takes so long for a commit, on the moving average, is left to the thread for so long."""
_NEWEST_COUNTS = 0.05
_ROWS_A_CHECKPOINT = 4_000
"""Noted rows are small: each makes a page of the log at most, so that it has about 16 MB."""
_PAGES_A_CHECKPOINT = 4_000
_SOON_S = 0.01
_IN_LOOP = ("PRAGMA wal_autocheckpoint=0", "PRAGMA busy_timeout=0")
"""How the connection is set while the event loop has it, which never waits for a lock or a checkpoint."""


class GroupCommit:
    """The writer of one SQLite file in this process. Other processes may have their own on the same file.

    A batch is carried out in the event loop when it holds notes alone, nothing has to be waited for and no commit
    syncs the disk; else in a thread, as is everything that takes long: a locked file, checkpoints, a slow disk. There
    is never more than one batch on its way.

    Args:
        path: The file, at its newest version already (`Database.open` brings it there).
        synchronous: As of `Database`. With FULL each commit waits for the disk: all batches go to the thread.
        max_waiting: Operations that may wait at once; more are refused with STORAGE_BUSY.
        max_batch: Operations in one transaction at most, so that nobody waits for a very long one.
        busy_ms: How long a locked file is waited for.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Synchronous = "NORMAL",
        max_waiting: int = 16_384,
        max_batch: int = 512,
        busy_ms: int = BUSY_TIMEOUT_MS,
    ) -> None:
        self._path = path
        self._synchronous: Synchronous = synchronous
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._busy_ms = busy_ms
        self._queue: SimpleQueue[list[Task[Any]] | None] = SimpleQueue()
        # What was queued and is not on its way.
        self._gathered: list[Task[Any]] = []
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._notebooks = Notebooks()
        self._connection: sqlite3.Connection | None = None
        # Whether what was gathered is to go at once, or within some milliseconds.
        self._is_due = self._will_be_due = False
        self._is_away = False
        self._in_loop_from_s = 0.0
        self._commit_s = 0.0
        self._rows_at_checkpoint = 0

    async def start(self) -> None:
        """Open the file and begin to take operations.

        Raises:
            UpstreamDown: STORAGE_UNAVAILABLE when the file cannot be opened.
        """
        try:
            self._connection = await asyncio.to_thread(_opened, self._path, self._synchronous)
        except sqlite3.Error as error:
            raise failure_of(error) from error
        self._queue, self._is_away, self._is_due, self._will_be_due = SimpleQueue(), False, False, False
        self._in_loop_from_s = float("inf") if self._synchronous == "FULL" else 0.0
        self._rows_at_checkpoint = 0
        self._notebooks.doubt()
        self._loop = asyncio.get_running_loop()
        # A daemon, so that a program that forgets to stop it can still end; everything that was reported is on disk.
        self._thread = threading.Thread(
            target=self._serve, args=(self._loop, self._connection, self._queue), name="group-commit", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """Carry out what is queued, then close the file. Idempotent."""
        thread, self._thread, self._loop = self._thread, None, None
        if thread is not None:
            while batch := self._next_batch(self._max_batch):
                self._queue.put(batch)
            self._queue.put(None)
            await asyncio.shield(asyncio.to_thread(thread.join))

    def run(self, operation: Operation[T]) -> asyncio.Future[T]:
        """Queue an operation; await the future for its result, which is there after its commit.

        Operations are carried out in the order in which they were queued, each in a savepoint: one that raises leaves
        no trace and disturbs no other. What it raises comes out of the future, an `sqlite3.Error` other than
        IntegrityError as UpstreamDown. From here on the operation is carried out even when nobody awaits the future or
        its awaiting is cancelled, so a caller who was cancelled does not know whether it was: make it idempotent.

        Raises:
            UpstreamDown: STORAGE_BUSY when too many wait, STORAGE_CLOSED when it is not started. Out of the future:
                STORAGE_FULL, STORAGE_BUSY or STORAGE_UNAVAILABLE when the transaction failed; none of its operations
                took place.
        """
        return self._awaited(Task(operation=operation))

    def note(self, noting: Noting[T], *notebooks: Notebook, failed: Failed | None = None) -> asyncio.Future[T]:
        """Queue an operation on `notebooks`, which are this writer's (`notebook`); await it as that of `run`.

        In its place in the queue it sees what those before it noted. What it raises as a `NexusError` comes out of the
        future; anything else undoes the transaction. `failed` hears of it, too, also when nobody awaits any more.

        Raises:
            UpstreamDown: As `run`.
        """
        return self._awaited(Task(noting=noting, notebooks=notebooks, failed=failed))

    def note_soon(self, noting: Noting[Any], *notebooks: Notebook) -> None:
        """Queue an operation as `note` does, of which nobody will hear whether it was carried out.

        It goes with the next one that is awaited, or soon by itself.

        Raises:
            UpstreamDown: As `run`.
        """
        loop = self._put(Task(noting=noting, notebooks=notebooks))
        if not self._is_due and not self._will_be_due:
            self._will_be_due = True
            loop.call_later(_SOON_S, self._now_due, loop)

    def notebook(self, kind: type[N]) -> N:
        """Return this writer's notebook of `kind`, which is made at the first time."""
        return self._notebooks.of(kind)

    def _awaited(self, task: Task[T]) -> asyncio.Future[T]:
        loop = self._put(task)
        if not self._is_due:
            # One transaction for all that is queued in one round of the event loop.
            self._is_due = True
            if not self._is_away:
                loop.call_soon(self._gather, loop, 0)
        task.future = future = loop.create_future()
        return future

    def _put(self, task: Task[Any]) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            raise UpstreamDown("STORAGE_CLOSED", "The database is not open.")
        if self._waiting >= self._max_waiting:
            raise storage_busy()
        self._waiting += 1
        self._gathered.append(task)
        return loop

    def _now_due(self, loop: asyncio.AbstractEventLoop) -> None:
        self._will_be_due = False
        if self._gathered and not self._is_due:
            self._is_due = True
            self._hand_over(loop)

    def _gather(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Wait while each round of the event loop brings more: a transaction costs as much as ten operations."""
        count = len(self._gathered)
        if before < count < _MOST_IN_LOOP:
            loop.call_soon(self._gather, loop, count)
        else:
            self._hand_over(loop)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has a batch carried out; the next one when this one is."""
        if self._is_away or not self._is_due:
            return
        connection = self._connection
        if connection is not None and self._fits_in_loop(connection) and begins(connection):
            batch = self._next_batch(_MOST_IN_LOOP)
            began_s = time.monotonic()
            commit(connection, batch, self._notebooks)
            ended_s = time.monotonic()
            self._commit_s += (ended_s - began_s - self._commit_s) * _NEWEST_COUNTS
            if self._commit_s > _SLOW_S:
                self._commit_s, self._in_loop_from_s = 0.0, ended_s + _SLOW_FOR_S
            self._deliver(batch)
            if self._is_due:
                loop.call_soon(self._hand_over, loop)
        else:
            self._is_away = True
            self._queue.put(self._next_batch(self._max_batch))

    def _fits_in_loop(self, connection: sqlite3.Connection) -> bool:
        return (
            time.monotonic() >= self._in_loop_from_s
            and connection.total_changes - self._rows_at_checkpoint < _ROWS_A_CHECKPOINT
            and all(task.operation is None for task in self._gathered[:_MOST_IN_LOOP])
        )

    def _next_batch(self, most: int) -> list[Task[Any]]:
        batch, self._gathered = self._gathered[:most], self._gathered[most:]
        self._is_due = bool(self._gathered)
        return batch

    def _serve(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: sqlite3.Connection,
        queue: SimpleQueue[list[Task[Any]] | None],
    ) -> None:
        """Run the thread, which has the connection to itself while it has a batch, until the end of the queue."""
        try:
            while batch := queue.get():
                connection.execute(f"PRAGMA busy_timeout={self._busy_ms}")
                # Operations may write rows of any size.
                connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES_A_CHECKPOINT}")
                if connection.total_changes - self._rows_at_checkpoint >= _ROWS_A_CHECKPOINT:
                    self._rows_at_checkpoint = connection.total_changes
                    with suppress(sqlite3.Error):  # the next one may do; until then the log grows
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                # The first one after a checkpoint begins the log anew, and syncs it.
                commit(connection, batch, self._notebooks)
                for pragma in _IN_LOOP:
                    connection.execute(pragma)
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._returned, loop, queue, batch)
        finally:
            connection.close()

    def _returned(
        self, loop: asyncio.AbstractEventLoop, queue: SimpleQueue[list[Task[Any]] | None], batch: Sequence[Task[Any]]
    ) -> None:
        try:
            self._deliver(batch)
        finally:
            # Unless it was stopped, and begun anew, meanwhile.
            if self._queue is queue:
                self._is_away = False
                if self._loop is loop:
                    self._hand_over(loop)

    def _deliver(self, batch: Sequence[Task[Any]]) -> None:
        self._waiting -= len(batch)
        for task in batch:
            if task.future is not None:
                _settle(task.future, task.result, task.error)
        for task in batch:
            if task.error is not None and task.failed is not None:
                task.failed(task.error)


def _opened(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """Return a connection to an existing file that opens no transaction by itself, and never waits for a lock."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        cached_statements=_STATEMENTS_KEPT,
        # The event loop and the thread have it in turns.
        check_same_thread=False,
    )
    try:
        for pragma in (*pragmas(synchronous), *_IN_LOOP):
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
