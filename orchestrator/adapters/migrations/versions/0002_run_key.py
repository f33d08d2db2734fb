"""Runs remember with which API key they were started."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of runs that are older nobody knows."""
    op.add_column("runs", sa.Column("key_id", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("runs", "key_id")
