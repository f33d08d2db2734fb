"""The chains of decisions as their writer knows them: records are noted, and written together."""

from __future__ import annotations

import sqlite3
from typing import Any

from provider_router.adapters.decision_worlds_sqlite import USE_STEP, Uses, WorldKeeper
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import encode_decision, microseconds_of
from provider_router.domain.decisions.decision_record import ChainLink, hash_after
from provider_router.domain.decisions.world import World
from shared.errors import Internal
from shared.storage import ManyRows

NEWEST = "SELECT sequence, record_hash FROM decisions WHERE org_id = ? ORDER BY sequence DESC LIMIT 1"
ANCHOR = "SELECT sequence, record_hash FROM decision_anchors WHERE org_id = ?"
INSERT = ManyRows(
    "INSERT INTO decisions (org_id, sequence, decision_id, time_us, previous_hash, record_hash, payload) "
    "VALUES {rows} ON CONFLICT (org_id, decision_id) DO NOTHING",
    "(?, ?, ?, ?, ?, ?, ?)",
)
IS_THERE = "SELECT 1 FROM decisions WHERE org_id = ? AND decision_id = ?"
UNDO = "DELETE FROM decisions WHERE org_id = ? AND sequence > ?"
_MOST_NEEDED = 1024
_Noted = tuple[str, str, int, bytes]
"""Decision, organisation, time and payload."""


class DecisionNotebook:
    """Implements `Notebook`. Records get their places in the chains, and their hashes, when they are written."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._generation = -1
        self._ends: dict[str, ChainLink] = {}
        self._noted: list[_Noted] = []
        # Records noted in this transaction, by organisation.
        self._counts: dict[str, int] = {}
        # The least `used_sequence` of documents that are there.
        self._needed: dict[tuple[str, str, str, str], int] = {}

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        """See `Notebook.begin`."""
        self._connection = connection
        self._noted.clear()
        self._counts.clear()
        if len(self._needed) > _MOST_NEEDED:
            self._needed.clear()
        if generation != self._generation:
            self._generation = generation
            self._ends.clear()

    def end(self) -> None:
        """See `Notebook.end`."""
        if not self._noted:
            return
        connection = self._writable()
        before = {org_id: self._end(org_id) for _, org_id, _, _ in self._noted}
        if INSERT.execute(connection, self._chained()) != len(self._noted):
            # Some were there already. Once more without them: a chain has no gaps.
            for org_id, end in before.items():
                connection.execute(UNDO, (org_id, end.sequence))
            self._ends.update(before)
            self._noted = [each for each in self._first_of_each() if not self._is_there(each)]
            INSERT.execute(connection, self._chained())
        self._noted.clear()
        self._counts.clear()

    def append(self, decision_id: str, decision: Decision, payload: bytes, keeper: WorldKeeper, world: World) -> Uses:
        """Notes a record, whose canonical form is `payload`; keeps what is needed of `world`.

        Returns:
            What `keeper.remember` is to be told once the transaction is committed.
        """
        org_id = decision.request.caller.org_id
        count = self._counts.get(org_id, 0) + 1
        sequence = self._end(org_id).sequence + count
        uses = self._used(decision, sequence, keeper, world)
        self._counts[org_id] = count
        self._noted.append((decision_id, org_id, microseconds_of(decision.time), payload))
        return uses

    def _used(self, decision: Decision, sequence: int, keeper: WorldKeeper, world: World) -> Uses:
        org_id = decision.request.caller.org_id
        documents = (org_id, decision.registry_digest, decision.rules_digest, decision.state_digest)
        if sequence - self._needed.get(documents, -USE_STEP) < USE_STEP:
            return ()
        uses = keeper.keep(self._writable(), decision, world, sequence)
        if not uses:
            # Whoever needs them, too, finds that out with one look.
            self._needed[documents] = keeper.needed_by(decision)
        return uses

    def _writable(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Internal("NOT_BEGUN", "The notebook of decisions is used outside of a transaction.")
        return self._connection

    def _end(self, org_id: str) -> ChainLink:
        """The end of the chain: its newest record, or where it began when all records were removed."""
        end = self._ends.get(org_id)
        if end is None:
            end = self._ends[org_id] = self._read(org_id)
        return end

    def _read(self, org_id: str) -> ChainLink:
        for query in (NEWEST, ANCHOR):
            row = self._writable().execute(query, (org_id,)).fetchone()
            if row is not None:
                return ChainLink(row[0], row[1].hex())
        return ChainLink()

    def _chained(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for decision_id, org_id, time_us, payload in self._noted:
            end = self._ends[org_id]
            digest = hash_after(end, decision_id, org_id, time_us, payload)
            sequence = end.sequence + 1
            rows.append((org_id, sequence, decision_id, time_us, bytes.fromhex(end.record_hash), digest, payload))
            self._ends[org_id] = ChainLink(sequence, digest.hex())
        return rows

    def _first_of_each(self) -> list[_Noted]:
        found: dict[tuple[str, str], _Noted] = {}
        for each in self._noted:
            found.setdefault((each[1], each[0]), each)
        return list(found.values())

    def _is_there(self, noted: _Noted) -> bool:
        return self._writable().execute(IS_THERE, (noted[1], noted[0])).fetchone() is not None


class Appending:
    """A record that is to be written: called by the writer, then told in the event loop when it is there."""

    def __init__(
        self, notebook: DecisionNotebook, worlds: WorldKeeper, decision_id: str, decision: Decision, world: World
    ) -> None:
        self._notebook = notebook
        self._worlds = worlds
        self._decision_id = decision_id
        self._decision = decision
        self._world = world
        self._payload = encode_decision(decision)
        self._uses: Uses = ()

    def __call__(self) -> None:
        """Notes the record."""
        self._uses = self._notebook.append(self._decision_id, self._decision, self._payload, self._worlds, self._world)

    def committed(self) -> None:
        """Learns that the record, and what it needs, is on the disk."""
        if self._uses:
            self._worlds.remember(self._uses)
