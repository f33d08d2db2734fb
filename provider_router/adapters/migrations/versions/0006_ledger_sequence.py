"""Attempts are numbered within their organisation; what was spent is found by its day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Number the attempts of each organisation from 1, in the order in which they were opened."""
    _rebuild("row_number() OVER (PARTITION BY org_id ORDER BY sequence)", ("org_id", "sequence"), with_rowid=False)
    op.create_index("spend_by_day", "spend", ["day"])


def downgrade() -> None:
    """Number the attempts of all organisations together, in the order of their times."""
    op.drop_index("spend_by_day", "spend")
    _rebuild("row_number() OVER (ORDER BY opened_us, org_id, sequence)", ("sequence",), with_rowid=True)
    op.create_index("ledger_attempts_by_org", "ledger_attempts", ["org_id"])


def _rebuild(number: str, key: tuple[str, ...], *, with_rowid: bool) -> None:
    """Make the table anew with another key, since SQLite cannot change one; its rows get the sequence `number`."""
    old = sa.Table("ledger_attempts", sa.MetaData(), autoload_with=op.get_bind())
    # SQLite's driver makes a table outside of the transaction: a killed upgrade may have left it.
    op.execute("DROP TABLE IF EXISTS ledger_renumbered")
    columns = [sa.Column(each.name, each.type, nullable=each.nullable) for each in old.columns]
    op.create_table("ledger_renumbered", *columns, sa.PrimaryKeyConstraint(*key), sqlite_with_rowid=with_rowid)
    others = ", ".join(each.name for each in old.columns if each.name != "sequence")
    op.execute(
        f"INSERT INTO ledger_renumbered (sequence, {others}) SELECT {number}, {others} FROM ledger_attempts"  # noqa: S608
    )
    op.drop_table("ledger_attempts")
    op.rename_table("ledger_renumbered", "ledger_attempts")
    op.create_index("ledger_attempts_by_id", "ledger_attempts", ["attempt_id"], unique=True)
    # SQLite adds the row's key to each index, so that of decisions is in order of it.
    op.create_index("ledger_attempts_by_decision", "ledger_attempts", ["org_id", "decision_id"])
    op.create_index("ledger_attempts_by_time", "ledger_attempts", ["org_id", "opened_us"])
    op.create_index("ledger_attempts_open", "ledger_attempts", ["router_id"], sqlite_where=sa.text("outcome = 'open'"))
