"""Runs carry the channel that their question came over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs that are older came over none."""
    op.add_column("runs", sa.Column("channel", sa.String(64), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("runs", "channel")
