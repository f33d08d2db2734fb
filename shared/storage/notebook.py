"""What a writer knows of its tables, and what it will write to them: for operations that share statements.

An operation that runs its own statements costs the writer some microseconds for each, and a busy event loop some more,
since every statement gives up the interpreter's lock and has to get it back. Operations that share a notebook only note
what they want; the notebook writes it with one statement for all of them, before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol, TypeVar, cast


class Notebook(Protocol):
    """Some tables, as the writer knows them. Used by one thread at a time, in the writer's turn.

    It may keep what it read and wrote: in every transaction of one generation, that is what the file holds. What an
    operation noted before it raised stays noted.
    """

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        """Take up work in a transaction.

        Args:
            connection: In the transaction.
            generation: Another one than before says that whatever was known may be wrong: somebody else wrote to the
                file, or what this notebook wrote was undone. What was noted before and not written is void anyway.
        """
        ...

    def end(self) -> None:
        """Write what was noted. Whatever it raises undoes the whole transaction."""
        ...


N = TypeVar("N", bound=Notebook)


class Notebooks:
    """The notebooks of one connection: one of each kind, so that no two of them know different things."""

    def __init__(self) -> None:
        self._kept: dict[type[Notebook], Notebook] = {}
        self._in_use: list[Notebook] = []
        self._generation = 0
        self._version: int | None = None
        self._has_looked = False

    def of(self, kind: type[N]) -> N:
        """Return the one of `kind`, which is made without arguments."""
        if kind not in self._kept:
            self._kept[kind] = kind()
        return cast("N", self._kept[kind])

    def begin(self) -> None:
        """Begin a transaction."""
        self._in_use.clear()
        self._has_looked = False

    def take_up(self, connection: sqlite3.Connection, notebooks: Sequence[Notebook]) -> None:
        """Have `notebooks` ready for an operation of this transaction."""
        for notebook in notebooks:
            if notebook not in self._in_use:
                if not self._has_looked:
                    self._look(connection)
                self._in_use.append(notebook)
                notebook.begin(connection, self._generation)

    def end(self) -> None:
        """Write what is noted: at the end of the transaction, and before an operation with statements of its own."""
        for notebook in self._in_use:
            notebook.end()
        self._in_use.clear()

    def doubt(self) -> None:
        """Say that what is known may be wrong."""
        self._generation += 1

    def _look(self, connection: sqlite3.Connection) -> None:
        # SQLite changes this number for a connection when another one has committed: https://sqlite.org/pragma.html
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self._generation += 1
        self._has_looked = True
