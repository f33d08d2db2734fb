"""The log of decisions in SQLite: written through the group commit, read through the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, LargeBinary, Row, Select, and_, cast, func, or_, select

from provider_router.adapters.decision_notebook import Appending, DecisionNotebook
from provider_router.adapters.decision_pruning_sqlite import PruneStep, organisations_after
from provider_router.adapters.decision_worlds_sqlite import WorldKeeper, opened
from provider_router.adapters.tables import decision_anchors, decision_worlds, decisions
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import microseconds_of
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord
from provider_router.domain.decisions.stored_world import Documents, WorldPart, parts_of
from provider_router.domain.decisions.world import World
from shared.storage import Database, GroupCommit

_table = decisions.c
# The id as bytes: a text that somebody damaged may be none, and still has to be read.
_RECORD = select(
    cast(_table.decision_id, LargeBinary),
    _table.org_id,
    _table.sequence,
    _table.time_us,
    _table.previous_hash,
    _table.record_hash,
    _table.payload,
)


class SqliteDecisionLog:
    """Implements `DecisionLog`.

    A record's sequence and the hash that it follows are read in the transaction that writes it, so that several
    processes can share the file.

    Args:
        database: For reading.
        writer: Of the same file.

    Attributes:
        notebook: Of `writer`, for operations that do more.
    """

    def __init__(self, database: Database, writer: GroupCommit) -> None:
        self._database = database
        self._writer = writer
        self.notebook = writer.notebook(DecisionNotebook)
        self._worlds = WorldKeeper()
        self._pruned_org = ""

    async def append(self, decision_id: str, decision: Decision, world: World) -> None:
        """Writes a record and whatever of `world` is needed to replay it."""
        appending = self.appending(decision_id, decision, world)
        await self._writer.note(appending, self.notebook)
        appending.committed()

    def appending(self, decision_id: str, decision: Decision, world: World) -> Appending:
        """What `append` has the writer do."""
        return Appending(self.notebook, self._worlds, decision_id, decision, world)

    async def get(self, org_id: str, decision_id: str) -> DecisionRecord | None:
        """The record, exactly as it is stored."""
        return await self._one(and_(_table.org_id == org_id, _table.decision_id == decision_id))

    async def before(self, record: DecisionRecord) -> DecisionRecord | None:
        """The record with the sequence before that of `record`."""
        return await self._one(and_(_table.org_id == record.org_id, _table.sequence == record.sequence - 1))

    async def after(self, record: DecisionRecord) -> DecisionRecord | None:
        """The record with the sequence after that of `record`."""
        return await self._one(and_(_table.org_id == record.org_id, _table.sequence == record.sequence + 1))

    async def anchor(self, org_id: str) -> ChainLink:
        """Where the stored chain begins."""
        anchors = decision_anchors.c
        query = select(anchors.sequence, anchors.record_hash).where(anchors.org_id == org_id)
        async with self._database.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return ChainLink() if row is None else ChainLink(row[0], row[1].hex())

    async def listed(
        self, org_id: str, *, before_sequence: int = 0, since: datetime | None = None, limit: int = 50
    ) -> Sequence[DecisionRecord]:
        """Records of `org_id`, newest first."""
        query = _RECORD.where(_table.org_id == org_id).order_by(_table.sequence.desc()).limit(limit)
        if before_sequence:
            query = query.where(_table.sequence < before_sequence)
        if since is not None:
            # Records are nearly in the order of time: to stop at the first that is older reads no more than it gives.
            older = and_(_table.org_id == org_id, _table.time_us < microseconds_of(since))
            newest_older = select(_table.sequence).where(older).order_by(_table.sequence.desc()).limit(1)
            query = query.where(_table.sequence > func.coalesce(newest_older.scalar_subquery(), 0))
        return await self._records(query)

    async def following(self, org_id: str, *, after_sequence: int, limit: int) -> Sequence[DecisionRecord]:
        """Records of `org_id` after a sequence, oldest first."""
        query = _RECORD.where(_table.org_id == org_id, _table.sequence > after_sequence)
        return await self._records(query.order_by(_table.sequence).limit(limit))

    async def world_of(self, decision: Decision) -> Documents:
        """The stored documents that `decision` was made by."""
        worlds = decision_worlds.c
        wanted = or_(
            *(and_(worlds.part == name.part.value, worlds.digest == name.digest) for name in parts_of(decision))
        )
        query = select(worlds.part, worlds.digest, worlds.body_hash, worlds.body)
        async with self._database.connect() as connection:
            rows = await connection.execute(query.where(worlds.org_id == decision.request.caller.org_id, wanted))
            found = {WorldPart(part): opened(body, body_hash, digest) for part, digest, body_hash, body in rows}
        return {part: document for part, document in found.items() if document is not None}

    async def prune(self, *, older_than: datetime, keep: int, limit: int) -> int:
        """Removes the oldest records of one organisation; each call looks at the next one that has some to remove."""
        cutoff_us = microseconds_of(older_than)
        async with self._database.connect() as connection:
            organisations = await organisations_after(connection, self._pruned_org)
        for org_id in organisations:
            step = PruneStep(org_id, cutoff_us, keep, limit)
            removed = await self._writer.run(step)
            if removed:
                self._pruned_org = org_id
                return removed
        return 0

    async def _one(self, which: ColumnElement[bool]) -> DecisionRecord | None:
        return next(iter(await self._records(_RECORD.where(which).limit(1))), None)

    async def _records(self, query: Select[*tuple[bytes, str, int, int, bytes, bytes, bytes]]) -> list[DecisionRecord]:
        async with self._database.connect() as connection:
            return [_record(row) for row in await connection.execute(query)]


def _record(row: Row[*tuple[bytes, str, int, int, bytes, bytes, bytes]]) -> DecisionRecord:
    decision_id, org_id, sequence, time_us, previous_hash, record_hash, payload = row
    return DecisionRecord(
        decision_id=decision_id.decode("utf-8", "replace"),
        org_id=org_id,
        sequence=sequence,
        time_us=time_us,
        previous_hash=previous_hash.hex(),
        record_hash=record_hash.hex(),
        payload=payload,
    )
