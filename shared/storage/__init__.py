"""Relational storage: SQLAlchemy Core over SQLite (WAL), brought to the newest version by Alembic."""

from shared.storage.database import Database

__all__ = ["Database"]
