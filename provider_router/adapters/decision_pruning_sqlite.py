"""Removes old records so that what stays can still be verified: the chain then begins at an anchor.

The anchor holds sequence and hash of the newest record that was removed. It is written in the transaction that removes
the records, and the oldest stored record must follow on it as on a record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from provider_router.adapters.decision_worlds_sqlite import forget

# Jumps from one organisation to the next in the index, instead of reading all of it.
_ORGANISATIONS = text("""
WITH RECURSIVE found(org_id) AS (
  SELECT min(org_id) FROM decisions
  UNION ALL
  SELECT (SELECT min(org_id) FROM decisions WHERE org_id > found.org_id) FROM found WHERE found.org_id IS NOT NULL
)
SELECT org_id FROM found WHERE org_id IS NOT NULL
""")
_NEWEST = "SELECT max(sequence) FROM decisions WHERE org_id = ?"
_OLDEST = "SELECT sequence, time_us, record_hash FROM decisions WHERE org_id = ? ORDER BY sequence LIMIT ?"
_ANCHOR = """
INSERT INTO decision_anchors (org_id, sequence, record_hash) VALUES (?, ?, ?)
ON CONFLICT (org_id) DO UPDATE SET sequence = excluded.sequence, record_hash = excluded.record_hash
"""
_DELETE = "DELETE FROM decisions WHERE org_id = ? AND sequence <= ?"


async def organisations_after(connection: AsyncConnection, org_id: str) -> Sequence[str]:
    """All organisations that have records, beginning with the first after `org_id` and ending with `org_id`."""
    names = [row[0] for row in await connection.execute(_ORGANISATIONS)]
    return [name for name in names if name > org_id] + [name for name in names if name <= org_id]


@dataclass(frozen=True, slots=True)
class PruneStep:
    """Removes records of one organisation, from the oldest on; an operation of the group commit.

    Attributes:
        org_id: The organisation.
        cutoff_us: Older records go.
        keep: More than the newest so many go, too.
        limit: Most records to remove.
    """

    org_id: str
    cutoff_us: int
    keep: int
    limit: int

    def __call__(self, connection: sqlite3.Connection) -> int:
        """Removes them in the transaction at hand; returns how many."""
        newest = connection.execute(_NEWEST, (self.org_id,)).fetchone()[0]
        removed, last = 0, (0, b"")
        for sequence, time_us, record_hash in connection.execute(_OLDEST, (self.org_id, self.limit)).fetchall():
            if time_us >= self.cutoff_us and sequence > newest - self.keep:
                break
            removed, last = removed + 1, (sequence, record_hash)
        if removed:
            connection.execute(_ANCHOR, (self.org_id, *last))
            connection.execute(_DELETE, (self.org_id, last[0]))
            forget(connection, self.org_id, last[0])
        return removed
