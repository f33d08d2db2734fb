"""Relational storage: SQLAlchemy Core over SQLite (WAL), brought to the newest version by Alembic."""

from shared.storage.database import Database
from shared.storage.group_commit import GroupCommit

__all__ = ["Database", "GroupCommit"]
