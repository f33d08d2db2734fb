"""The tables that this service owns; the migrations make them. Times are microseconds since 1970 in UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

artifacts = Table(
    "artifacts",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("artifact_id", String, primary_key=True),
    Column("request_id", String, nullable=True),
    Column("user_id", String, nullable=False),
    Column("name", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Index("artifacts_by_content", "org_id", "sha256"),
    Index("artifacts_by_run", "org_id", "run_id", "artifact_id"),
    Index("artifacts_by_request", "org_id", "request_id", unique=True),
)

# What was deleted under an idempotency key; rows live for a day.
artifact_deletions = Table(
    "artifact_deletions",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("artifact_id", String, nullable=False),
    Column("deleted_at_us", BigInteger, nullable=False),
    Index("artifact_deletions_by_age", "deleted_at_us"),
)

# What was called under an idempotency key, and how it ended.
tool_calls = Table(
    "tool_calls",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("request_id", String, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("tool", String, nullable=False),
    # Null while the call runs: after a crash nobody knows whether an effect happened.
    Column("result_json", String, nullable=True),
    Column("started_at_us", BigInteger, nullable=False),
    Column("ended_at_us", BigInteger, nullable=True),
    Index("tool_calls_by_age", "started_at_us"),
)

# Calls of a tool on a day, for quotas.
tool_days = Table(
    "tool_days",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("tool", String, primary_key=True),
    # `YYYY-MM-DD`, in UTC.
    Column("day", String, primary_key=True),
    Column("calls", Integer, nullable=False),
)

mcp_servers = Table(
    "mcp_servers",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("request_id", String, nullable=False),
    Column("user_id", String, nullable=False),
    # The specification without secret values.
    Column("spec_json", String, nullable=False),
    # Secret values, encrypted; empty for none.
    Column("secrets", LargeBinary, nullable=False),
    # Digests of its tools as they were first seen.
    Column("pins_json", String, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
)

# What was refused by policy, and what was done to the world: one row a call.
audit_events = Table(
    "audit_events",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("event_id", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("reason", String, nullable=False),
    # Names of the policies that decided, one JSON array.
    Column("policies_json", String, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Index("audit_events_by_kind", "org_id", "allowed", "event_id"),
    Index("audit_events_by_age", "created_at_us"),
)
