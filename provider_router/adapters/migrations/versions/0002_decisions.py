"""The tables of decisions.

They are STRICT, so that a stored value keeps its type: what is read for a proof is what was written, or differs from
it, and is never something that SQLite converted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "decisions",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("time_us", sa.Integer, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("record_hash", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("decisions_by_id", "decisions", ["org_id", "decision_id"], unique=True)
    op.create_table(
        "decision_anchors",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("record_hash", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "decision_worlds",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("used_sequence", sa.Integer, nullable=False),
        sa.Column("body_hash", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("decision_worlds_by_use", "decision_worlds", ["org_id", "used_sequence"])


def downgrade() -> None:
    """Drop the tables."""
    for name in ("decision_worlds", "decision_anchors", "decisions"):
        op.drop_table(name)
