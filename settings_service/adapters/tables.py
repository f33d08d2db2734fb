"""The tables of the settings database. Every table has `org_id`."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, UniqueConstraint

metadata = MetaData()

organisations = Table(
    "organisations",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", String, nullable=False),
)
users = Table(
    "users",
    metadata,
    Column("org_id", String, ForeignKey("organisations.org_id"), primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("roles", String, nullable=False, comment="comma-separated"),
    Column("created_at", String, nullable=False),
)
api_keys = Table(
    "api_keys",
    metadata,
    Column("org_id", String, ForeignKey("organisations.org_id"), primary_key=True),
    Column("key_id", String, primary_key=True),
    Column("user_id", String, nullable=False),
    Column("key_hash", String, nullable=False, unique=True, comment="hexadecimal SHA-256"),
    Column("created_at", String, nullable=False),
    Column("revoked_at", String),
)
configs = Table(
    "configs",
    metadata,
    Column("org_id", String, ForeignKey("organisations.org_id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("document", String, nullable=False, comment="JSON"),
    Column("user_id", String, nullable=False),
    Column("request_id", String),
    Column("fingerprint", String, nullable=False),
    Column("created_at", String, nullable=False),
    UniqueConstraint("org_id", "request_id"),
)
