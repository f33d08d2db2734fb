"""The audit in SQLite."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from shared.clock import Clock
from shared.storage import Database, GroupCommit
from tool_executor.adapters.tables import audit_events as table
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.tool_call import CallOrigin

_TRIM_EVERY = 500
_HOUR_S = 3600.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INSERT = (
    "INSERT INTO audit_events"
    " (org_id, event_id, user_id, tool, agent, channel, run_id, allowed, reason, policies_json, created_at_us) VALUES"
    " (:org_id, :event_id, :user_id, :tool, :agent, :channel, :run_id, :allowed, :reason, :policies_json,"
    " :created_at_us)"
)
_TRIM = (
    "DELETE FROM audit_events WHERE org_id = ?1 AND allowed = ?2 AND event_id <= (SELECT event_id FROM audit_events"
    " WHERE org_id = ?1 AND allowed = ?2 ORDER BY event_id DESC LIMIT 1 OFFSET ?3)"
)


@dataclass(frozen=True, slots=True)
class AuditWriters:
    """Writers of the file of the audit.

    Args:
        refusals: of what did not happen.
        effects: of what does; one that syncs each commit, so that a power cut takes no effect out of the audit.
    """

    refusals: GroupCommit
    effects: GroupCommit


class SqliteAuditLog:
    """Keeps events in the table `audit_events`.

    Args:
        database: holds the table; opened and closed elsewhere.
        writers: of the same file.
        clock: tells how old events are.
        kept_days: days after which an event is dropped.
        kept_events: most refusals, and most effects, of an organisation: a flood of one pushes none of the other out.
    """

    def __init__(
        self, database: Database, writers: AuditWriters, clock: Clock, *, kept_days: int, kept_events: int
    ) -> None:
        self._database = database
        self._writers = writers
        self._clock = clock
        self._kept_days = kept_days
        self._kept_events = kept_events
        self._noted = 0

    async def note(self, event: AuditEvent) -> None:
        """Write `event` down; see the port. One in 500 also drops what is too much."""
        self._noted += 1
        trims = self._noted % _TRIM_EVERY == 0

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_INSERT, _row(event))
            if trims:
                connection.execute(_TRIM, (event.org_id, event.allowed, self._kept_events))

        await (self._writers.effects if event.allowed else self._writers.refusals).run(write)

    async def page(self, org_id: str, *, refused_only: bool, before: str, size: int) -> Sequence[AuditEvent]:
        """Return events, the newest first; see the port."""
        query = select(table).where(table.c.org_id == org_id)
        if refused_only:
            query = query.where(table.c.allowed.is_(False))
        if before:
            query = query.where(table.c.event_id < before)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query.order_by(table.c.event_id.desc()).limit(size))).mappings().all()
        return [_event(row) for row in rows]

    async def forget_old(self) -> None:
        """Drop what is too old or too much. Idempotent.

        Raises:
            UpstreamDown: when it cannot be done now.
        """
        oldest_us = _microseconds(self._clock.now() - timedelta(days=self._kept_days))
        async with self._database.begin() as connection:
            await connection.execute(delete(table).where(table.c.created_at_us < oldest_us))
            kinds = await connection.execute(select(table.c.org_id, table.c.allowed).distinct())
            for org_id, allowed in kinds.all():
                await connection.exec_driver_sql(_TRIM, (org_id, allowed, self._kept_events))

    async def keep_bounded(self) -> None:
        """Forget what is old once an hour, until cancelled."""
        while True:
            await self.forget_old()
            await asyncio.sleep(_HOUR_S)


def _row(event: AuditEvent) -> dict[str, object]:
    return {
        "org_id": event.org_id,
        "event_id": event.event_id,
        "user_id": event.user_id,
        "tool": event.tool,
        "agent": event.origin.agent,
        "channel": event.origin.channel,
        "run_id": event.origin.run_id,
        "allowed": event.allowed,
        "reason": event.reason,
        "policies_json": json.dumps(event.policies),
        "created_at_us": _microseconds(event.at),
    }


def _event(row: Any) -> AuditEvent:
    return AuditEvent(
        event_id=row["event_id"],
        org_id=row["org_id"],
        user_id=row["user_id"],
        tool=row["tool"],
        origin=CallOrigin(row["agent"], row["channel"], "", row["run_id"]),
        allowed=row["allowed"],
        reason=row["reason"],
        policies=tuple(json.loads(row["policies_json"])),
        at=_EPOCH + row["created_at_us"] * _MICROSECOND,
    )


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
