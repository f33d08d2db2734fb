"""Computes a recorded decision again from what was stored with it, and compares every step."""

from __future__ import annotations

from collections.abc import Callable

from provider_router.domain.decisions.decision_record import DecisionRecord, hash_of
from provider_router.domain.decisions.recorded_decision import decision_unknown
from provider_router.domain.decisions.verification import Verification
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from provider_router.use_cases.verify_record import VerifyRecord


class VerifyDecision:
    """Verifies one record: where it stands, what it says, and that it follows from the world of its time.

    The chain is checked to both sides, so that a record that was changed together with its own hash is found by the
    record after it.

    Args:
        log: Where the record is.
        new_engine: Makes an engine that remembers nothing: what was remembered wrongly is not to prove itself.
    """

    def __init__(self, log: DecisionLog, new_engine: Callable[[], DecisionEngine]) -> None:
        self._log = log
        self._new_engine = new_engine

    async def __call__(self, org_id: str, decision_id: str) -> Verification:
        """What came of it.

        Raises:
            NotFound: DECISION_UNKNOWN.
            UpstreamDown: The log cannot be read.
        """
        record = await self._log.get(org_id, decision_id)
        if record is None:
            raise decision_unknown(decision_id)
        return await VerifyRecord(self._log, self._new_engine())(record, await self._chain_problem(record))

    async def _chain_problem(self, record: DecisionRecord) -> str:
        anchor = await self._log.anchor(record.org_id)
        if record.sequence == anchor.sequence + 1:
            if record.previous_hash != anchor.record_hash:
                return "it does not follow on the place where the stored chain begins"
        else:
            before = await self._log.before(record)
            if before is None:
                return f"the record before it, {record.sequence - 1}, is missing"
            if hash_of(before) != record.previous_hash:
                return f"it does not follow on the record before it, {record.sequence - 1}"
        after = await self._log.after(record)
        if after is not None and after.previous_hash != record.record_hash:
            return f"the record after it, {record.sequence + 1}, does not follow on it"
        return ""
