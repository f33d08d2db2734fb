"""The tables of the orchestrator. Times are integers: microseconds since 1970, in UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, PrimaryKeyConstraint, String, Table, Text

metadata = MetaData()

conversations = Table(
    "conversations",
    metadata,
    Column("conversation_id", String(64), primary_key=True),
    Column("org_id", String(64), nullable=False),
    Column("user_id", String(128), nullable=False),
    Column("title", Text, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Index("conversations_by_request", "org_id", "user_id", "request_id", unique=True),
    Index("conversations_by_owner", "org_id", "user_id", "created_us", "conversation_id"),
)

deleted_conversations = Table(
    "deleted_conversations",
    metadata,
    Column("org_id", String(64), nullable=False),
    Column("user_id", String(128), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("conversation_id", String(64), nullable=False),
    PrimaryKeyConstraint("org_id", "user_id", "request_id"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("org_id", String(64), nullable=False),
    Column("user_id", String(128), nullable=False),
    Column("key_id", String(64), nullable=False, server_default=""),
    Column("roles", Text, nullable=False),
    Column("permissions", Text, nullable=False),
    Column("conversation_id", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("requested_model", Text, nullable=False),
    Column("routing", Text, nullable=False, server_default="{}"),
    Column("channel", String(64), nullable=False, server_default=""),
    Column("max_steps", Integer, nullable=False),
    Column("max_tool_calls", Integer, nullable=False),
    Column("timeout_ms", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("answer", Text, nullable=False, server_default=""),
    Column("failure_reason", String(64), nullable=False, server_default=""),
    Column("failure_message", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False, server_default=""),
    Column("input_tokens", BigInteger, nullable=False, server_default="0"),
    Column("output_tokens", BigInteger, nullable=False, server_default="0"),
    Column("cost_micro_usd", BigInteger, nullable=False, server_default="0"),
    Column("cost_unknown", Integer, nullable=False, server_default="0"),
    Column("model_calls", Integer, nullable=False, server_default="0"),
    Column("tool_call_count", Integer, nullable=False, server_default="0"),
    Column("tool_calls", Text, nullable=False, server_default="[]"),
    Column("last_sequence", BigInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("released", Integer, nullable=False, server_default="0"),
    Index("runs_by_request", "org_id", "user_id", "request_id", unique=True),
    Index("runs_by_org", "org_id", "created_us", "run_id"),
    Index("runs_by_conversation", "org_id", "conversation_id", "created_us", "run_id"),
    Index("runs_by_status", "status", "created_us"),
)

events = Table(
    "events",
    metadata,
    Column("run_id", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("org_id", String(64), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("payload", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "sequence"),
    sqlite_with_rowid=False,
)

messages = Table(
    "messages",
    metadata,
    Column("conversation_id", String(64), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("org_id", String(64), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("speaker", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("conversation_id", "position"),
    Index("messages_by_run", "org_id", "run_id"),
    sqlite_with_rowid=False,
)
