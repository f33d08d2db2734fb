"""The tables of contracts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "contracts",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("changed_us", sa.Integer, nullable=False),
    )
    op.create_table(
        "contract_requests",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("document", sa.LargeBinary),
        sa.Column("time_us", sa.Integer, nullable=False),
    )
    op.create_index("contract_requests_by_time", "contract_requests", ["time_us"])
    versions = op.create_table(
        "registry_versions",
        sa.Column("org_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("contracts_version", sa.Integer, nullable=False),
    )
    op.bulk_insert(versions, [{"org_id": "", "version": 0, "contracts_version": 0}])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("registry_versions", "contract_requests", "contracts"):
        op.drop_table(table)
