"""Alembic revisions of the settings database."""
