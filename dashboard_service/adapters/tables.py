"""The tables that this service owns; the migrations make them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

calendars = Table(
    "calendars",
    metadata,
    Column("org_id", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("ics", LargeBinary, nullable=False),
    Column("event_count", Integer, nullable=False),
    # Microseconds since 1970 in UTC: SQLite has no time type, and a number sorts and never loses its zone.
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
)
