"""The tables that this service owns; the migrations make them."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()

# Decisions: one chain of records an organisation.

decisions = Table(
    "decisions",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("decision_id", Text, nullable=False),
    Column("time_us", Integer, nullable=False),
    # Hashes are bytes, so that whatever was done to one can still be read.
    Column("previous_hash", LargeBinary, nullable=False),
    Column("record_hash", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

# The newest record that was removed, on which the oldest stored one follows.
decision_anchors = Table(
    "decision_anchors",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("record_hash", LargeBinary, nullable=False),
)

# Contracts, rules and states that decisions were made by: compressed, once for each digest.
decision_worlds = Table(
    "decision_worlds",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    # A record with this or a smaller sequence needs it; so may the next few (`decision_worlds_sqlite`).
    Column("used_sequence", Integer, nullable=False),
    # SHA-256 of `body` as it stands here: compressed data has bits that change nothing when it is read.
    Column("body_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Contracts: those that organisations registered; the files' are not stored.

contracts = Table(
    "contracts",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # In canonical form.
    Column("document", LargeBinary, nullable=False),
    Column("changed_us", Integer, nullable=False),
)

# Answers to changes, so that one that is sent twice is made once.
contract_requests = Table(
    "contract_requests",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    # The contract as it was answered; NULL for a removal.
    Column("document", LargeBinary),
    Column("time_us", Integer, nullable=False),
)

# One row, of no organisation.
registry_versions = Table(
    "registry_versions",
    metadata,
    Column("org_id", Text, primary_key=True),
    # The newest version that any replica gave out.
    Column("version", Integer, nullable=False),
    # Counts the changes of `contracts`, by which replicas notice each other's.
    Column("contracts_version", Integer, nullable=False),
)

# The cache of answers.

cached_answers = Table(
    "cached_answers",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("exact", Text, primary_key=True),
    # Empty where only the very same request may find the answer; so is `vector`.
    Column("family", Text, nullable=False),
    Column("bag", Text, nullable=False),
    Column("sequence", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("model", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # Of `body` and `vector`.
    Column("bytes", Integer, nullable=False),
    Column("created_us", Integer, nullable=False),
    Column("used_us", Integer, nullable=False),
)

# What the rows of `cached_answers` come to, so that bounds are checked without counting them.
cache_sizes = Table(
    "cache_sizes",
    metadata,
    Column("org_id", Text, primary_key=True),
    Column("entries", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
)
