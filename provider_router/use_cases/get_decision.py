"""Shows a recorded decision and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.decisions.recorded_decision import (
    RecordedDecision,
    decision_damaged,
    decision_unknown,
    read_record,
)
from provider_router.domain.money.attempt import LedgerEntry
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.ledger import Ledger


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """A decision and the attempts that carried it out, in their order."""

    recorded: RecordedDecision
    attempts: Sequence[LedgerEntry]


class GetDecision:
    """Reads the log and the ledger."""

    def __init__(self, log: DecisionLog, ledger: Ledger) -> None:
        self._log = log
        self._ledger = ledger

    async def __call__(self, org_id: str, decision_id: str) -> CarriedOut:
        """The decision, with its decision read.

        Raises:
            NotFound: DECISION_UNKNOWN.
            PreconditionFailed: DECISION_DAMAGED.
            UpstreamDown: The log or the ledger cannot be read.
        """
        record = await self._log.get(org_id, decision_id)
        if record is None:
            raise decision_unknown(decision_id)
        recorded = read_record(record)
        if recorded.decision is None:
            raise decision_damaged(decision_id)
        return CarriedOut(recorded, await self._ledger.entries(org_id, decision_id=decision_id))
