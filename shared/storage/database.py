"""One SQLite database file of one service.

Writes are serialised by one connection at a time (`begin`), since SQLite has one writer anyway and a queue in the
process is fairer and faster than its busy loop. Reads use their own connections and never wait for a writer (WAL).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.errors import UpstreamDown
from shared.storage.migrations import upgrade
from shared.storage.sqlite_file import Synchronous, pragmas, storage_busy, storage_failure


class Database:
    """A SQLite file with its migrations.

    Args:
        path: the file; its folder is made.
        migrations_package: dotted name of the package that holds the Alembic `versions` folder.
        synchronous: What a commit survives.
    """

    def __init__(self, path: Path, migrations_package: str, synchronous: Synchronous = "NORMAL") -> None:
        self._path = path
        self._migrations_package = migrations_package
        self._synchronous: Synchronous = synchronous
        self._engine: AsyncEngine | None = None
        self._writer = asyncio.Lock()

    async def open(self) -> None:
        """Make the file if it is not there, and bring it to the newest version.

        Raises:
            UpstreamDown: STORAGE_UNAVAILABLE when the file cannot be opened or migrated.
        """
        async with _translated():
            await asyncio.to_thread(upgrade, self._path, self._migrations_package)
            engine = create_async_engine(f"sqlite+aiosqlite:///{self._path}", pool_size=4, max_overflow=0)
            event.listen(engine.sync_engine, "connect", self._configure)
            self._engine = engine

    async def close(self) -> None:
        """Close all connections."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[AsyncConnection, None]:
        """Give a connection in a write transaction, which commits at the end of the block or rolls back on an error.

        IntegrityError is left to the caller, who knows what it means; any other driver error becomes UpstreamDown.
        """
        async with self._writer, _translated(), self._opened().connect() as connection:
            # IMMEDIATE: a transaction that will write takes the lock at once and can never fail half-way for it.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                await connection.rollback()
                raise
            await connection.commit()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[AsyncConnection, None]:
        """Give a connection for reading; it sees one snapshot per statement."""
        async with _translated(), self._opened().connect() as connection:
            yield connection

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise UpstreamDown("STORAGE_CLOSED", "The database is not open.")
        return self._engine

    def _configure(self, connection: Any, _record: object) -> None:
        # The driver must not open transactions by itself: `begin` does, with IMMEDIATE.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas(self._synchronous):
            cursor.execute(pragma)
        cursor.close()


@asynccontextmanager
async def _translated() -> AsyncGenerator[None, None]:
    """Turn driver errors into UpstreamDown, a full disk told apart."""
    try:
        yield
    except IntegrityError:
        raise
    except PoolTimeoutError as error:
        raise storage_busy() from error
    except DBAPIError as error:
        raise storage_failure(error.orig) from error
