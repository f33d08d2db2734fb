"""Records of decisions, each chained to the one before it in the same organisation.

`record_hash` is SHA-256 over a framing that can be read in one way only: the words `nexus decision record 1`, then
`decision_id`, `org_id`, `sequence` (decimal), `time_us` (decimal), `previous_hash` and `payload`, each of these after
its length in bytes as eight bytes, most significant first. Texts are UTF-8. The first record of an organisation has
an empty `previous_hash`.
"""

from __future__ import annotations

import hashlib

from shared.value import value

_DOMAIN = b"nexus decision record 1"
_LENGTH_BYTES = 8


@value
class DecisionRecord:
    """One decision as it was written down.

    Attributes:
        decision_id: Unique within the organisation.
        org_id: Whose decision it was.
        sequence: Its place in the chain of the organisation, from 1.
        time_us: When the decision was made, in microseconds since 1970.
        previous_hash: `record_hash` of the record before, 64 hexadecimal digits; empty for the first.
        record_hash: Of this one.
        payload: The decision in canonical form (`decision_document`).
    """

    decision_id: str
    org_id: str
    sequence: int
    time_us: int
    previous_hash: str
    record_hash: str
    payload: bytes


@value
class ChainLink:
    """A place in the chain: a record's sequence and hash. The start of the chain is 0 and empty."""

    sequence: int = 0
    record_hash: str = ""


def chained(decision_id: str, org_id: str, time_us: int, payload: bytes, after: ChainLink) -> DecisionRecord:
    """The record that follows `after`."""
    sequence = after.sequence + 1
    record_hash = hash_after(after, decision_id, org_id, time_us, payload).hex()
    return DecisionRecord(decision_id, org_id, sequence, time_us, after.record_hash, record_hash, payload)


def hash_of(record: DecisionRecord) -> str:
    """The hash that `record` must have, computed from everything else in it."""
    after = ChainLink(record.sequence - 1, record.previous_hash)
    return hash_after(after, record.decision_id, record.org_id, record.time_us, record.payload).hex()


def hash_after(after: ChainLink, decision_id: str, org_id: str, time_us: int, payload: bytes) -> bytes:
    """The hash of the record that follows `after`."""
    framed = [_DOMAIN]
    for text in (decision_id, org_id, str(after.sequence + 1), str(time_us), after.record_hash):
        raw = text.encode()
        framed += (len(raw).to_bytes(_LENGTH_BYTES), raw)
    framed += (len(payload).to_bytes(_LENGTH_BYTES), payload)
    return hashlib.sha256(b"".join(framed)).digest()
