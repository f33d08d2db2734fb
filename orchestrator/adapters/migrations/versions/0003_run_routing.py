"""Runs remember how their model calls are to be routed, so that a resumed run asks as it began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs that are older are routed by the defaults."""
    op.add_column("runs", sa.Column("routing", sa.Text, nullable=False, server_default="{}"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("runs", "routing")
