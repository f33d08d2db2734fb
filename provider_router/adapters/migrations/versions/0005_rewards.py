"""Outcomes of decisions, and the rewards that they add up to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "outcomes",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("decision_id", sa.String, primary_key=True),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("task_class", sa.String, nullable=False),
        sa.Column("reward_ppm", sa.Integer, nullable=False),
    )
    op.create_table(
        "rewards",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("service", sa.String, primary_key=True),
        sa.Column("task_class", sa.String, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("total_ppm", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("rewards")
    op.drop_table("outcomes")
