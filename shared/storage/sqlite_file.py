"""What all connections to our SQLite files have in common: how they are set, and what their errors mean."""

from __future__ import annotations

import sqlite3
from typing import Literal

from shared.errors import UpstreamDown

Synchronous = Literal["FULL", "NORMAL"]
"""FULL survives a power cut after each commit; NORMAL survives a killed process, and may lose the last commits to a
power cut."""

BUSY_TIMEOUT_MS = 5000
UNAVAILABLE = "STORAGE_UNAVAILABLE"
_PRIMARY_CODE = 0xFF
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def pragmas(synchronous: Synchronous) -> tuple[str, ...]:
    """Return the statements that a new connection begins with."""
    return (
        "PRAGMA journal_mode=WAL",
        f"PRAGMA synchronous={synchronous}",
        f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
        "PRAGMA foreign_keys=ON",
    )


def storage_failure(error: BaseException | None) -> UpstreamDown:
    """Return what a driver's error means to callers, for the caller to raise from it.

    Returns:
        STORAGE_FULL for a full disk, STORAGE_BUSY with a time to wait when another process kept the file locked,
        STORAGE_UNAVAILABLE for everything else.
    """
    # The low byte is the kind of error, the others say where it was found: https://sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code == sqlite3.SQLITE_FULL:
        return UpstreamDown("STORAGE_FULL", "The disk of the database is full. Free some space.")
    if code in _BUSY_CODES:
        return storage_busy()
    return UpstreamDown(UNAVAILABLE, "The database cannot be used; the log says why.")


def storage_busy() -> UpstreamDown:
    """Return the error for a database that has more to do than it can."""
    return UpstreamDown("STORAGE_BUSY", "The database has more to do than it can.", retry_after_s=1)
