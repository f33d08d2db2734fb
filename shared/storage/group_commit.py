"""Many small writes in few transactions, for hot paths.

A thread owns one connection and commits whatever queued up while it was committing, in one transaction. So an
operation costs a few statements instead of a transaction of its own, and nobody waits for a timer. ADR 8 has the
reasons.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from shared.errors import NexusError, UpstreamDown
from shared.storage.notebook import N, Notebook, Notebooks
from shared.storage.sqlite_file import Synchronous, pragmas, storage_busy, storage_failure

_STATEMENTS_KEPT = 256

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
"""Reads and writes through the connection it is given, with no transaction statement of its own. It runs in the
writer's thread, at most once, and should take microseconds: all others wait for it."""
Noting = Callable[[], T]
"""Reads and notes in notebooks. It runs in the writer's thread, at most once."""
Failed = Callable[[Exception], None]
"""Is told, in the event loop, why an operation failed."""


@dataclass(slots=True)
class _Task(Generic[T]):
    """An operation in the queue, either of the two; later its result or its error."""

    operation: Operation[T] | None = None
    noting: Noting[T] | None = None
    notebooks: tuple[Notebook, ...] = ()
    future: asyncio.Future[T] | None = None
    failed: Failed | None = None
    result: T | None = None
    error: Exception | None = None


class _TransactionLostError(Exception):
    """SQLite rolled back the whole transaction by itself (full disk, failed read or write), or a notebook failed."""


class GroupCommit:
    """The writer of one SQLite file in this process. Other processes may have their own on the same file.

    Args:
        path: The file, at its newest version already (`Database.open` brings it there).
        synchronous: As of `Database`.
        max_waiting: Operations that may wait at once; more are refused with STORAGE_BUSY.
        max_batch: Operations in one transaction at most, so that nobody waits for a very long one.
    """

    def __init__(
        self, path: Path, *, synchronous: Synchronous = "NORMAL", max_waiting: int = 16_384, max_batch: int = 512
    ) -> None:
        self._path = path
        self._synchronous: Synchronous = synchronous
        self._max_waiting = max_waiting
        self._max_batch = max_batch
        self._queue: SimpleQueue[list[_Task[Any]] | None] = SimpleQueue()
        # What was queued since the event loop went round last.
        self._gathered: list[_Task[Any]] = []
        # What the thread took of the queue and has not carried out.
        self._left: list[_Task[Any]] = []
        self._waiting = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._notebooks = Notebooks()

    async def start(self) -> None:
        """Open the file and begin to take operations.

        Raises:
            UpstreamDown: STORAGE_UNAVAILABLE when the file cannot be opened.
        """
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._queue = SimpleQueue()
        self._notebooks.doubt()
        # A daemon, so that a program that forgets to stop it can still end; everything that was reported is on disk.
        thread = threading.Thread(target=self._serve, args=(loop, opened), name="group-commit", daemon=True)
        thread.start()
        await opened
        self._loop, self._thread = loop, thread

    async def stop(self) -> None:
        """Carry out what is queued, then close the file. Idempotent."""
        thread, self._thread, self._loop = self._thread, None, None
        if thread is not None:
            self._hand_over()
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
        return self._awaited(_Task(operation=operation))

    def note(self, noting: Noting[T], *notebooks: Notebook, failed: Failed | None = None) -> asyncio.Future[T]:
        """Queue an operation on `notebooks`, which are this writer's (`notebook`); await it as that of `run`.

        In its place in the queue it sees what those before it noted. What it raises as a `NexusError` comes out of the
        future; anything else undoes the transaction. `failed` hears of it, too, also when nobody awaits any more.

        Raises:
            UpstreamDown: As `run`.
        """
        return self._awaited(_Task(noting=noting, notebooks=notebooks, failed=failed))

    def note_soon(self, noting: Noting[Any], *notebooks: Notebook) -> None:
        """Queue an operation as `note` does, of which nobody will hear whether it was carried out.

        Raises:
            UpstreamDown: As `run`.
        """
        self._put(_Task(noting=noting, notebooks=notebooks))

    def notebook(self, kind: type[N]) -> N:
        """Return this writer's notebook of `kind`, which is made at the first time."""
        return self._notebooks.of(kind)

    def _awaited(self, task: _Task[T]) -> asyncio.Future[T]:
        task.future = future = self._put(task).create_future()
        return future

    def _put(self, task: _Task[Any]) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            raise UpstreamDown("STORAGE_CLOSED", "The database is not open.")
        if self._waiting >= self._max_waiting:
            raise storage_busy()
        self._waiting += 1
        if not self._gathered:
            # The thread is woken once for all that is queued in one round of the event loop.
            loop.call_soon(self._hand_over)
        self._gathered.append(task)
        return loop

    def _hand_over(self) -> None:
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered = []

    def _serve(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        """Run the thread: one transaction after the other until the end of the queue."""
        try:
            connection = _opened(self._path, self._synchronous)
        except sqlite3.Error as error:
            loop.call_soon_threadsafe(_settle, opened, None, _failure(error))
            return
        loop.call_soon_threadsafe(_settle, opened, None, None)
        try:
            while batch := self._next_batch():
                _commit(connection, batch, self._notebooks)
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._deliver, batch)
        finally:
            connection.close()

    def _next_batch(self) -> list[_Task[Any]]:
        """Wait for operations and take what came with them; nothing at the end of the queue."""
        if not self._left:
            taken = self._queue.get()
            while taken is not None:
                self._left += taken
                if len(self._left) >= self._max_batch or self._queue.empty():
                    break
                taken = self._queue.get()
            else:
                if self._left:
                    # The end came in the middle of a batch: it is for the next look.
                    self._queue.put(None)
        batch, self._left = self._left[: self._max_batch], self._left[self._max_batch :]
        return batch

    def _deliver(self, batch: Sequence[_Task[Any]]) -> None:
        self._waiting -= len(batch)
        for task in batch:
            if task.error is not None and task.failed is not None:
                task.failed(task.error)
            if task.future is not None:
                _settle(task.future, task.result, task.error)


def _opened(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """Return a connection to an existing file that opens no transaction by itself."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, cached_statements=_STATEMENTS_KEPT
    )
    try:
        for pragma in pragmas(synchronous):
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _commit(connection: sqlite3.Connection, batch: Sequence[_Task[Any]], notebooks: Notebooks) -> None:
    """Carry out a batch in one transaction. When that fails, so does every operation of the batch."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        notebooks.begin()
        for task in batch:
            if task.noting is not None:
                _note(connection, notebooks, task, task.noting)
            elif task.operation is not None:
                _end(notebooks)
                _carry_out(connection, task, task.operation)
                notebooks.doubt()
        _end(notebooks)
        connection.execute("COMMIT")
    except (sqlite3.Error, _TransactionLostError) as error:
        cause = error.__cause__ if isinstance(error, _TransactionLostError) else error
        notebooks.doubt()
        with suppress(sqlite3.Error):  # what cannot be rolled back now is before the next transaction begins
            connection.rollback()
        for task in batch:
            # One error for each: a shared one would collect the stacks of all who raise it.
            task.result, task.error = None, _failure(cause)


def _note(connection: sqlite3.Connection, notebooks: Notebooks, task: _Task[T], noting: Noting[T]) -> None:
    """Run one operation on notebooks."""
    try:
        notebooks.take_up(connection, task.notebooks)
        task.result = noting()
    except NexusError as error:
        task.error = error
    except Exception as error:
        raise _TransactionLostError from error


def _end(notebooks: Notebooks) -> None:
    """Have the notebooks write what is noted."""
    try:
        notebooks.end()
    except Exception as error:
        raise _TransactionLostError from error


def _carry_out(connection: sqlite3.Connection, task: _Task[T], operation: Operation[T]) -> None:
    """Run one operation in its savepoint.

    Raises:
        _TransactionLostError: With its cause; what was done before in the transaction is undone too.
    """
    connection.execute("SAVEPOINT one")
    try:
        task.result = operation(connection)
    except Exception as error:  # it belongs to whoever awaits the operation, and goes there
        if not connection.in_transaction:
            raise _TransactionLostError from error
        task.error = _callers(error)
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")


def _callers(error: Exception) -> Exception:
    """Return the error of an operation as its caller is to see it."""
    if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
        return _failure(error)
    return error


def _failure(cause: BaseException | None) -> UpstreamDown:
    failure = storage_failure(cause)
    failure.__cause__ = cause
    return failure


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
