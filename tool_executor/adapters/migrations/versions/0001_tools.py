"""Artifacts, remembered calls, quotas, MCP servers and the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("artifact_id", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, nullable=True),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("tool", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("artifacts_by_content", "artifacts", ["org_id", "sha256"])
    op.create_index("artifacts_by_run", "artifacts", ["org_id", "run_id", "artifact_id"])
    op.create_index("artifacts_by_request", "artifacts", ["org_id", "request_id"], unique=True)
    op.create_table(
        "artifact_deletions",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("artifact_id", sa.String, nullable=False),
        sa.Column("deleted_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("artifact_deletions_by_age", "artifact_deletions", ["deleted_at_us"])


def _tool_calls() -> None:
    op.create_table(
        "tool_calls",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("tool", sa.String, nullable=False),
        sa.Column("result_json", sa.String, nullable=True),
        sa.Column("started_at_us", sa.BigInteger, nullable=False),
        sa.Column("ended_at_us", sa.BigInteger, nullable=True),
    )
    op.create_index("tool_calls_by_age", "tool_calls", ["started_at_us"])


def _tool_days() -> None:
    op.create_table(
        "tool_days",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("tool", sa.String, primary_key=True),
        sa.Column("day", sa.String, primary_key=True),
        sa.Column("calls", sa.Integer, nullable=False),
    )


def _mcp_servers() -> None:
    op.create_table(
        "mcp_servers",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("request_id", sa.String, nullable=False),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("spec_json", sa.String, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("pins_json", sa.String, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
    )


def _audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("org_id", sa.String, primary_key=True),
        sa.Column("event_id", sa.String, primary_key=True),
        sa.Column("user_id", sa.String, nullable=False),
        sa.Column("tool", sa.String, nullable=False),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("allowed", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("policies_json", sa.String, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("audit_events_by_kind", "audit_events", ["org_id", "allowed", "event_id"])
    op.create_index("audit_events_by_age", "audit_events", ["created_at_us"])


def upgrade() -> None:
    """Make the tables."""
    _artifacts()
    _tool_calls()
    _tool_days()
    _mcp_servers()
    _audit_events()


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("audit_events")
    op.drop_table("mcp_servers")
    op.drop_table("tool_days")
    op.drop_table("tool_calls")
    op.drop_table("artifact_deletions")
    op.drop_table("artifacts")
