"""The tool executor's database, for tests."""

from __future__ import annotations

import atexit
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from shared.storage import Database, GroupCommit
from shared.storage.migrations import upgrade

MIGRATIONS = "tool_executor.adapters.migrations"


@cache
def _empty_file() -> Path:
    """A migrated file to copy: migrating takes longer than most tests."""
    folder = Path(mkdtemp(prefix="nexus-tools-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "tools.sqlite"
    upgrade(path, MIGRATIONS)
    return path


@dataclass
class ToolStore:
    """A database with a writer; opened again at the same path it is what a restart finds."""

    path: Path
    database: Database = field(init=False)
    writer: GroupCommit = field(init=False)

    async def __aenter__(self) -> Self:
        if not self.path.exists():
            shutil.copy(_empty_file(), self.path)
        self.database, self.writer = Database(self.path, MIGRATIONS), GroupCommit(self.path)
        await self.database.open()
        await self.writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.writer.stop()
        await self.database.close()
