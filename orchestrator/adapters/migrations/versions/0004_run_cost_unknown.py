"""Runs count the model calls of which nobody knows the cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of runs that are older nobody counted them."""
    op.add_column("runs", sa.Column("cost_unknown", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("runs", "cost_unknown")
