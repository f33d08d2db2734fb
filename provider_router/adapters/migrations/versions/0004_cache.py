"""The tables of the cache of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cached_answers",
        sa.Column("org_id", sa.Text, nullable=False),
        sa.Column("exact", sa.Text, nullable=False),
        sa.Column("family", sa.Text, nullable=False),
        sa.Column("bag", sa.Text, nullable=False),
        sa.Column("sequence", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("used_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "exact"),
    )
    op.create_index("cached_answers_by_family", "cached_answers", ["org_id", "family", "created_us"])
    op.create_index("cached_answers_by_use", "cached_answers", ["org_id", "used_us"])
    op.create_index("cached_answers_by_age", "cached_answers", ["created_us"])
    op.create_table(
        "cache_sizes",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("cache_sizes")
    op.drop_table("cached_answers")
