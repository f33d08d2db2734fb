"""Organisations, users, keys and configurations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "organisations",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("org_id", sa.String, sa.ForeignKey("organisations.org_id"), primary_key=True),
        sa.Column("user_id", sa.String, primary_key=True),
        sa.Column("roles", sa.String, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("org_id", sa.String, sa.ForeignKey("organisations.org_id"), primary_key=True),
        sa.Column("key_id", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("key_hash", sa.String, nullable=False, unique=True),
        sa.Column("created_at", sa.String, nullable=False),
        sa.Column("revoked_at", sa.String),
    )
    op.create_table(
        "configs",
        sa.Column("org_id", sa.String, sa.ForeignKey("organisations.org_id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("document", sa.String, nullable=False),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("request_id", sa.String),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("created_at", sa.String, nullable=False),
        sa.UniqueConstraint("org_id", "request_id"),
    )
