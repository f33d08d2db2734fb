"""The logs under test: the fake of the unit tests, and SQLite."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from router_decision_fakes import FakeDecisionLog

from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog
from provider_router.ports.decision_log import DecisionLog
from shared.storage import Database, GroupCommit
from shared.storage.migrations import upgrade

MIGRATIONS = "provider_router.adapters.migrations"


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory) -> Path:
    """A migrated file to copy: migrating takes longer than the tests."""
    path = tmp_path_factory.mktemp("empty") / "r.sqlite"
    upgrade(path, MIGRATIONS)
    return path


@dataclass(frozen=True)
class Storage:
    """A SQLite file with both ways to it."""

    path: Path
    database: Database
    writer: GroupCommit


@pytest.fixture
async def storage(tmp_path: Path, empty_file: Path) -> AsyncGenerator[Storage, None]:
    path = Path(shutil.copy(empty_file, tmp_path / "r.sqlite"))
    database, writer = Database(path, MIGRATIONS), GroupCommit(path)
    await database.open()
    await writer.start()
    yield Storage(path, database, writer)
    await writer.stop()
    await database.close()


@pytest.fixture
def sqlite_log(storage: Storage) -> SqliteDecisionLog:
    return SqliteDecisionLog(storage.database, storage.writer)


@pytest.fixture(params=["fake", "sqlite"])
def log(request: pytest.FixtureRequest) -> DecisionLog:
    return FakeDecisionLog() if request.param == "fake" else request.getfixturevalue("sqlite_log")
