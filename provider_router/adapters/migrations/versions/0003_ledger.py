"""The tables of the ledger, of what was spent, and of rate limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _attempts()
    op.create_table(
        "spend",
        _text("org_id", 64),
        _text("scope", 16),
        _text("subject", 128),
        sa.Column("day", sa.Integer, nullable=False),
        _number("spent_micro_usd"),
        _number("reserved_micro_usd"),
        sa.PrimaryKeyConstraint("org_id", "scope", "subject", "day"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rate_levels",
        sa.Column("bucket", sa.Text, primary_key=True),
        _text("org_id", 64),
        _number("taken"),
        _number("time_us"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("rate_levels", "spend", "ledger_attempts"):
        op.drop_table(table)


def _text(name: str, size: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(size), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _attempts() -> None:
    op.create_table(
        "ledger_attempts",
        sa.Column("sequence", sa.Integer, primary_key=True),
        _text("attempt_id", 64),
        _text("org_id", 64),
        _text("user_id", 128),
        _text("key_id", 64),
        _text("conversation_id", 128),
        _text("decision_id", 64),
        _text("operation", 16),
        _text("service", 256),
        _text("deployment", 64),
        _number("number"),
        _number("streamed"),
        _number("hedge"),
        _text("price_version", 320),
        _number("reserved_input"),
        _number("reserved_output"),
        _number("reserved_cached_input"),
        _number("reserved_reasoning"),
        _number("reserved_cache_write"),
        _number("reserved_micro_usd"),
        _number("opened_us"),
        _number("day"),
        _text("router_id", 64),
        _text("outcome", 16),
        _text("reason", 64),
        _number("input_tokens"),
        _number("output_tokens"),
        _number("cached_input_tokens"),
        _number("reasoning_tokens"),
        _number("cache_write_tokens"),
        _number("estimated"),
        _number("cost_micro_usd"),
        sa.Column("first_token_ms", sa.BigInteger),
        _number("duration_ms"),
        _number("closed_us"),
    )
    op.create_index("ledger_attempts_by_id", "ledger_attempts", ["attempt_id"], unique=True)
    # SQLite adds the row's sequence to each index, so these two are in order of it.
    op.create_index("ledger_attempts_by_org", "ledger_attempts", ["org_id"])
    op.create_index("ledger_attempts_by_decision", "ledger_attempts", ["org_id", "decision_id"])
    op.create_index("ledger_attempts_by_time", "ledger_attempts", ["org_id", "opened_us"])
    op.create_index("ledger_attempts_open", "ledger_attempts", ["router_id"], sqlite_where=sa.text("outcome = 'open'"))
