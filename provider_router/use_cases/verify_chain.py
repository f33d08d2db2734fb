"""Verifies every kept record of an organisation, link by link."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from provider_router.domain.decisions.chain_verification import BrokenRecord, ChainVerification
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from provider_router.use_cases.long_work import LongWork, Slices
from provider_router.use_cases.verify_record import VerifyRecord

_PAGE = 200
_BEFORE_ALL = -(2**63)
"""Before every sequence that can be stored: a record may stand where none ever stood."""


class VerifyChain:
    """Verifies from the oldest kept record to the newest, and stops at the first that does not hold.

    In turns, so that calls are never short of time for long, whoever verifies how much. A record that was changed
    together with its own hash is found at the record after it, which does not follow on it.

    Args:
        log: Where the records are.
        new_engine: Makes an engine that remembers nothing.
        turns: Shared with other long work.
    """

    def __init__(self, log: DecisionLog, new_engine: Callable[[], DecisionEngine], turns: LongWork) -> None:
        self._log = log
        self._new_engine = new_engine
        self._turns = turns

    async def __call__(self, org_id: str, expect_hash: str) -> AsyncGenerator[int | ChainVerification, None]:
        """Yields how many records hold so far, now and then; at last the result.

        Records that are written meanwhile are verified, too; those that are pruned meanwhile are left out.

        Args:
            org_id: Whose records.
            expect_hash: Of a record that must be in the chain; empty for none.

        Raises:
            QuotaExceeded: RATE_LIMITED, when the organisation has too much under way.
            UpstreamDown: The log cannot be read.
        """
        async with self._turns.turn(org_id) as slices:
            walk = _Walk(self._log, VerifyRecord(self._log, self._new_engine()), (org_id, expect_hash), slices)
            async with aclosing(walk.steps()) as steps:
                async for verified in steps:
                    yield verified
            yield walk.result()


class _Walk:
    """One verification: how far it came."""

    def __init__(self, log: DecisionLog, verify: VerifyRecord, asked: tuple[str, str], slices: Slices) -> None:
        self._log = log
        self._verify = verify
        self._org_id, self._expect_hash = asked
        self._slices = slices
        self._verified = 0
        self._head = self._pruned = ChainLink()
        self._broken: BrokenRecord | None = None
        self._found = False

    async def steps(self) -> AsyncGenerator[int, None]:
        """Verifies page by page; yields the number of records that hold."""
        await self._begin()
        after = _BEFORE_ALL
        while self._broken is None:
            page = await self._log.following(self._org_id, after_sequence=after, limit=_PAGE)
            if not page:
                return
            await self._take(page)
            after = self._head.sequence
            yield self._verified

    def result(self) -> ChainVerification:
        """What was found."""
        sure = self._found or self._broken is None
        expected = self._found if self._expect_hash and sure else None
        return ChainVerification(self._verified, self._head, self._pruned, self._broken, expected)

    async def _begin(self) -> None:
        """Starts at the place where the stored chain begins now."""
        self._head = self._pruned = await self._log.anchor(self._org_id)
        self._note(self._head.record_hash)

    async def _take(self, page: Sequence[DecisionRecord]) -> None:
        for record in page:
            found = await self._verify(record, self._problem(record))
            if not found.valid and await self._pruned_since():
                if record.sequence <= self._head.sequence:
                    continue
                found = await self._verify(record, self._problem(record))
            if not found.valid:
                self._broken = BrokenRecord(record, found)
                return
            self._verified += 1
            self._head = ChainLink(record.sequence, record.record_hash)
            self._note(record.record_hash)
            await self._slices.rest()

    async def _pruned_since(self) -> bool:
        """Whether records were pruned that are not verified yet; the chain then goes on where it begins now."""
        anchor = await self._log.anchor(self._org_id)
        if anchor.sequence <= self._head.sequence:
            return False
        self._head = self._pruned = anchor
        self._note(anchor.record_hash)
        return True

    def _problem(self, record: DecisionRecord) -> str:
        """Why `record` does not follow on the one before it; empty when it does."""
        expected = self._head.sequence + 1
        if record.sequence < expected:
            return f"it stands before the place where the stored chain begins, {expected}: one of the two was changed"
        if record.sequence > expected:
            missing = f"{expected} to {record.sequence - 1}" if record.sequence - 1 > expected else str(expected)
            return f"what stands before it, {missing}, is missing"
        if record.previous_hash != self._head.record_hash:
            if self._head == self._pruned:
                return "it does not follow on the place where the stored chain begins"
            return f"it does not follow on the record before it, {self._head.sequence}: one of the two was changed"
        return ""

    def _note(self, record_hash: str) -> None:
        if self._expect_hash and record_hash == self._expect_hash:
            self._found = True
