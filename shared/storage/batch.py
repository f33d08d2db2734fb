"""Operations of a group commit, and the transaction that carries a batch of them out."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.errors import NexusError, UpstreamDown
from shared.storage.notebook import Notebook, Notebooks
from shared.storage.sqlite_file import UNAVAILABLE, storage_failure
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_BEGIN = "BEGIN IMMEDIATE"

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]
"""Reads and writes through the connection it is given, with no transaction statement of its own. It runs in a thread,
at most once, and should take microseconds: all others wait for it."""
Noting = Callable[[], T]
"""Reads and notes in notebooks. It runs at most once, in the event loop or in a thread: it should take microseconds."""
Failed = Callable[[Exception], None]
"""Is told, in the event loop, why an operation failed."""


@dataclass(slots=True)
class Task(Generic[T]):
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


def begins(connection: sqlite3.Connection) -> bool:
    """Begin a transaction, unless there is something to wait for or something is wrong: `commit` finds out what."""
    try:
        connection.execute(_BEGIN)
    except sqlite3.Error:
        return False
    return True


def commit(connection: sqlite3.Connection, batch: Sequence[Task[Any]], notebooks: Notebooks) -> None:
    """Carry out a batch in one transaction, which may have begun. When it fails, so does every operation of it."""
    try:
        if not connection.in_transaction:
            connection.execute(_BEGIN)
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
        _note_cause(cause)
        notebooks.doubt()
        with suppress(sqlite3.Error):  # what cannot be rolled back now is before the next transaction begins
            connection.rollback()
        for task in batch:
            # One error for each: a shared one would collect the stacks of all who raise it.
            task.result, task.error = None, failure_of(cause)


def _note(connection: sqlite3.Connection, notebooks: Notebooks, task: Task[T], noting: Noting[T]) -> None:
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


def _carry_out(connection: sqlite3.Connection, task: Task[T], operation: Operation[T]) -> None:
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
        _note_cause(error)
        return failure_of(error)
    return error


def _note_cause(cause: BaseException | None) -> None:
    """Write into the log what callers are not told: that a notebook or a statement is wrong, or a disk broken."""
    if storage_failure(cause).reason == UNAVAILABLE:
        # Where a disk is broken, every batch says so.
        _log.error("storage_failed", error=repr(cause), exc_info=None if isinstance(cause, sqlite3.Error) else cause)


def failure_of(cause: BaseException | None) -> UpstreamDown:
    """Return what a driver's error means to callers, with the error as its cause."""
    failure = storage_failure(cause)
    failure.__cause__ = cause
    return failure
