"""Keeps the documents that decisions were made by: each once, as long as a record needs it."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Sequence

from provider_router.domain.decisions.canonical_json import digest_of
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.stored_world import PartName, encode_part, parts_of
from provider_router.domain.decisions.world import World
from shared.errors import Internal

USE_STEP = 256
"""A document's `used_sequence` is at most this far behind the newest record that needs it, exclusive."""

_MOST_KNOWN = 4096
_USED = "SELECT used_sequence FROM decision_worlds WHERE org_id = ? AND part = ? AND digest = ?"
_TOUCH = "UPDATE decision_worlds SET used_sequence = ? WHERE org_id = ? AND part = ? AND digest = ?"
_INSERT = """
INSERT INTO decision_worlds (org_id, part, digest, used_sequence, body_hash, body) VALUES (?, ?, ?, ?, ?, ?)
"""
_FORGET = "DELETE FROM decision_worlds WHERE org_id = ? AND used_sequence <= ?"

_Key = tuple[str, PartName]
Uses = Sequence[tuple[_Key, int]]
"""Documents and the `used_sequence` that was seen or set."""


class WorldKeeper:
    """Writes documents within the transaction of the record that needs them.

    To look for three documents at each record would cost more than the record. So the keeper remembers which ones are
    there, and with which `used_sequence`: for `USE_STEP` records from that on, nobody removes them. `forget` removes
    a document only when every record that may need it is gone; `USE_STEP` says which ones may.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, int] = OrderedDict()

    def keep(self, connection: sqlite3.Connection, decision: Decision, world: World, sequence: int) -> Uses:
        """Makes sure that the documents of `decision` are there for the record `sequence`. Runs in the transaction.

        Returns:
            What `remember` is to be told once the transaction is committed.
        """
        org_id = decision.request.caller.org_id
        uses: list[tuple[_Key, int]] = []
        for name in parts_of(decision):
            key = (org_id, name)
            used = self._known.get(key)
            if used is None or sequence - used >= USE_STEP:
                uses.append((key, _use(connection, key, world, sequence)))
        return uses

    def needed_by(self, decision: Decision) -> int:
        """The least `used_sequence` of the documents of `decision`, all of which are known."""
        org_id = decision.request.caller.org_id
        return min(self._known[org_id, name] for name in parts_of(decision))

    def remember(self, uses: Uses) -> None:
        """Learns what was committed."""
        for key, used in uses:
            self._known[key] = used
            self._known.move_to_end(key)
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)


def forget(connection: sqlite3.Connection, org_id: str, removed_sequence: int) -> None:
    """Removes the documents that only records up to `removed_sequence` needed. Runs in the transaction."""
    connection.execute(_FORGET, (org_id, removed_sequence - USE_STEP))


def opened(body: bytes, body_hash: bytes, digest: str) -> bytes | None:
    """The document in a stored row; None when it is not what was stored."""
    if hashlib.sha256(body).digest() != body_hash:
        return None
    try:
        document = zlib.decompress(body)
    except zlib.error:
        return None
    return document if digest_of(document) == digest else None


def _use(connection: sqlite3.Connection, key: _Key, world: World, sequence: int) -> int:
    """Notes that the record `sequence` needs a document, and writes the document when it is not there."""
    org_id, name = key
    row = (org_id, name.part.value, name.digest)
    found = connection.execute(_USED, row).fetchone()
    if found is None:
        document = encode_part(world, name.part)
        if digest_of(document) != name.digest:
            raise Internal("WORLD_DIGEST", f"The digest of the {name.part.value} is not that of its canonical form.")
        body = zlib.compress(document)
        connection.execute(_INSERT, (*row, sequence, hashlib.sha256(body).digest(), body))
        return sequence
    used = int(found[0])
    if sequence - used < USE_STEP:
        return used
    connection.execute(_TOUCH, (sequence, *row))
    return sequence
