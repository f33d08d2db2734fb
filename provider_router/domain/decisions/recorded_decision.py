"""A record of a decision, read."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import decode_decision
from provider_router.domain.decisions.decision_record import DecisionRecord, hash_of
from provider_router.domain.errors import Reason, failure
from shared.errors import NexusError


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A record with the decision that it holds.

    Attributes:
        record: As it is stored.
        decision: None when somebody changed the record.
    """

    record: DecisionRecord
    decision: Decision | None


def read_record(record: DecisionRecord) -> RecordedDecision:
    """Reads a record. What it says is believed only where its hash agrees; `VerifyDecision` looks further."""
    if hash_of(record) != record.record_hash:
        return RecordedDecision(record, None)
    try:
        return RecordedDecision(record, decode_decision(record.payload))
    except NotCanonical:
        return RecordedDecision(record, None)


def decision_unknown(decision_id: str) -> NexusError:
    """The error for a decision that the organisation has no record of."""
    return failure(
        Reason.DECISION_UNKNOWN,
        f"There is no decision '{decision_id}'. `nexus route list` shows those that are kept.",
        metadata={"decision_id": decision_id},
    )


def decision_damaged(decision_id: str) -> NexusError:
    """The error for a record that somebody changed."""
    return failure(
        Reason.DECISION_DAMAGED,
        f"The record of the decision was changed and is not believed. `nexus route verify {decision_id}` says more.",
        metadata={"decision_id": decision_id},
    )
