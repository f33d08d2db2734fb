"""The first tables: conversations, messages, runs, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _conversations()
    _runs()
    _events()
    _messages()


def downgrade() -> None:
    """Drop the tables."""
    for table in ("messages", "events", "runs", "deleted_conversations", "conversations"):
        op.drop_table(table)


def _text(name: str, size: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(size), nullable=False)


def _counter(name: str, kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default="0")


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("conversation_id", sa.String(64), primary_key=True),
        _text("org_id", 64),
        _text("user_id", 128),
        sa.Column("title", sa.Text, nullable=False),
        _text("request_id", 64),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("updated_us", sa.BigInteger, nullable=False),
    )
    op.create_index("conversations_by_request", "conversations", ["org_id", "user_id", "request_id"], unique=True)
    op.create_index("conversations_by_owner", "conversations", ["org_id", "user_id", "created_us", "conversation_id"])
    op.create_table(
        "deleted_conversations",
        _text("org_id", 64),
        _text("user_id", 128),
        _text("request_id", 64),
        _text("conversation_id", 64),
        sa.PrimaryKeyConstraint("org_id", "user_id", "request_id"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(64), primary_key=True),
        _text("org_id", 64),
        _text("user_id", 128),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("permissions", sa.Text, nullable=False),
        _text("conversation_id", 64),
        _text("request_id", 64),
        _text("fingerprint", 64),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("requested_model", sa.Text, nullable=False),
        sa.Column("max_steps", sa.Integer, nullable=False),
        sa.Column("max_tool_calls", sa.Integer, nullable=False),
        sa.Column("timeout_ms", sa.BigInteger, nullable=False),
        _text("status", 16),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("started_us", sa.BigInteger),
        sa.Column("ended_us", sa.BigInteger),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        sa.Column("failure_reason", sa.String(64), nullable=False, server_default=""),
        sa.Column("failure_message", sa.Text, nullable=False, server_default=""),
        sa.Column("model", sa.Text, nullable=False, server_default=""),
        _counter("input_tokens", sa.BigInteger),
        _counter("output_tokens", sa.BigInteger),
        _counter("cost_micro_usd", sa.BigInteger),
        _counter("model_calls"),
        _counter("tool_call_count"),
        sa.Column("tool_calls", sa.Text, nullable=False, server_default="[]"),
        _counter("last_sequence", sa.BigInteger),
        _counter("attempt"),
        _counter("crashes"),
        _counter("released"),
    )
    op.create_index("runs_by_request", "runs", ["org_id", "user_id", "request_id"], unique=True)
    op.create_index("runs_by_org", "runs", ["org_id", "created_us", "run_id"])
    op.create_index("runs_by_conversation", "runs", ["org_id", "conversation_id", "created_us", "run_id"])
    op.create_index("runs_by_status", "runs", ["status", "created_us"])


def _events() -> None:
    op.create_table(
        "events",
        _text("run_id", 64),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        _text("org_id", 64),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        _text("kind", 32),
        sa.Column("payload", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "sequence"),
        sqlite_with_rowid=False,
    )


def _messages() -> None:
    op.create_table(
        "messages",
        _text("conversation_id", 64),
        sa.Column("position", sa.BigInteger, nullable=False),
        _text("org_id", 64),
        _text("run_id", 64),
        _text("speaker", 16),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("messages_by_run", "messages", ["org_id", "run_id"])
