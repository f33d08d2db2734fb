"""Rewards in SQLite: written through the group commit, read from memory."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, text

from provider_router.domain.decisions.service_state import JudgedAnswer, Reward
from shared.storage import Database, GroupCommit

_INSERT = "INSERT OR IGNORE INTO outcomes (org_id, decision_id, service, task_class, reward_ppm) VALUES (?, ?, ?, ?, ?)"
_ADD = """
INSERT INTO rewards (org_id, service, task_class, count, total_ppm) VALUES (?, ?, ?, 1, ?)
ON CONFLICT (org_id, service, task_class)
DO UPDATE SET count = count + 1, total_ppm = total_ppm + excluded.total_ppm
RETURNING count, total_ppm
"""
_ALL = text("SELECT org_id, service, task_class, count, total_ppm FROM rewards")
_OUTCOMES = text(
    "SELECT decision_id, service, reward_ppm FROM outcomes WHERE org_id = :org_id AND decision_id IN :ids"
).bindparams(bindparam("ids", expanding=True))
_ByService = dict[str, dict[str, Reward]]
_NONE: Mapping[str, Mapping[str, Reward]] = {}


class SqliteRewards:
    """Implements `Rewards`. What other replicas add shows after at most `refresh_s` seconds.

    Args:
        database: For reading.
        writer: Of the same file.
        refresh_s: Seconds between two looks at what others added.
    """

    def __init__(self, database: Database, writer: GroupCommit, refresh_s: float = 5.0) -> None:
        self._database = database
        self._writer = writer
        self._refresh_s = refresh_s
        self._known: dict[str, _ByService] = {}

    def of(self, org_id: str) -> Mapping[str, Mapping[str, Reward]]:
        """Rewards of `org_id` by service and task class."""
        return self._known.get(org_id, _NONE)

    async def add(self, org_id: str, decision_id: str, service: str, task_class: str, reward_ppm: int) -> bool:
        """Adds the outcome of a decision; False when it has one already."""

        def write(connection: sqlite3.Connection) -> Reward | None:
            if not connection.execute(_INSERT, (org_id, decision_id, service, task_class, reward_ppm)).rowcount:
                return None
            row = connection.execute(_ADD, (org_id, service, task_class, reward_ppm)).fetchone()
            return Reward(*row)

        reward = await self._writer.run(write)
        if reward is not None:
            # A new mapping for each change: whoever holds the one before must not see it move.
            services = self._known.get(org_id, {})
            self._known[org_id] = {**services, service: {**services.get(service, {}), task_class: reward}}
        return reward is not None

    async def outcomes(self, org_id: str, decision_ids: Collection[str]) -> Mapping[str, JudgedAnswer]:
        """The outcomes of those of `decision_ids` that have one."""
        async with self._database.connect() as connection:
            rows = await connection.execute(_OUTCOMES, {"org_id": org_id, "ids": list(decision_ids)})
            return {decision_id: JudgedAnswer(service, reward_ppm) for decision_id, service, reward_ppm in rows}

    async def load(self) -> None:
        """Reads what is stored; mappings that are the same stay the same objects.

        Raises:
            UpstreamDown: The database cannot be read.
        """
        found: dict[str, _ByService] = {}
        async with self._database.connect() as connection:
            for org_id, service, task_class, count, total_ppm in await connection.execute(_ALL):
                found.setdefault(org_id, {}).setdefault(service, {})[task_class] = Reward(count, total_ppm)
        # What was added since the look began is in no row of it, maybe as the first of its organisation.
        known = self._known
        self._known = {org_id: _newest(known.get(org_id, {}), found.get(org_id, {})) for org_id in {**known, **found}}

    async def watch(self) -> None:
        """Loads again and again, until cancelled. Raises as `load`; may be begun again, and what was known holds."""
        while True:
            await asyncio.sleep(self._refresh_s)
            await self.load()


def _newest(before: _ByService, read: _ByService) -> _ByService:
    """What was read, but for rewards that were added since: counts only grow. `before` itself when it is the same."""
    merged = {
        service: {
            task: max(reward, before.get(service, {}).get(task, reward), key=lambda each: each.count)
            for task, reward in tasks.items()
        }
        for service, tasks in {**before, **read}.items()
    }
    return before if merged == before else merged
