"""Relational storage: SQLAlchemy Core over SQLite (WAL), brought to the newest version by Alembic."""

from shared.storage.database import Database
from shared.storage.group_commit import GroupCommit
from shared.storage.many_rows import ManyRows
from shared.storage.notebook import Notebook

__all__ = ["Database", "GroupCommit", "ManyRows", "Notebook"]
