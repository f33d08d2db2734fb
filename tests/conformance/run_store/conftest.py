"""The stores under test: the fake of the unit tests, and SQLite."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from orchestrator_fakes import FakeConversationStore, FakeStore

from orchestrator.adapters.conversation_store_sqlite import SqliteConversationStore
from orchestrator.adapters.run_store_sqlite import SqliteRunStore
from orchestrator.ports.conversation_store import ConversationStore
from orchestrator.ports.run_store import RunStore
from shared.storage import Database
from shared.storage.migrations import upgrade

MIGRATIONS = "orchestrator.adapters.migrations"


@dataclass(frozen=True)
class Stores:
    """Both ports over one store."""

    runs: RunStore
    conversations: ConversationStore


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory) -> Path:
    """A migrated file to copy: migrating takes longer than the tests."""
    path = tmp_path_factory.mktemp("empty") / "o.sqlite"
    upgrade(path, MIGRATIONS)
    return path


@pytest.fixture(params=["fake", "sqlite"])
async def stores(request, tmp_path, empty_file) -> AsyncGenerator[Stores, None]:
    if request.param == "fake":
        fake = FakeStore()
        yield Stores(fake, FakeConversationStore(fake))
        return
    database = Database(Path(shutil.copy(empty_file, tmp_path / "o.sqlite")), MIGRATIONS)
    await database.open()
    yield Stores(SqliteRunStore(database), SqliteConversationStore(database))
    await database.close()
