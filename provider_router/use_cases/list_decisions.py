"""Lists recorded decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.calls.page_token import number_of, token_of
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.decisions.decision_record import DecisionRecord
from provider_router.domain.decisions.recorded_decision import RecordedDecision, read_record
from provider_router.domain.money.attempt import LedgerEntry, Outcome
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.ledger import Ledger

_DEFAULT_SIZE = 50
_READ_AT_ONCE = 200
_MOST_READ = 2000
"""Records that one page looks at for those of an operation."""


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """A decision with the attempt that tells what became of it: the one that succeeded, else the newest one, if any."""

    recorded: RecordedDecision
    attempt: LedgerEntry | None


@dataclass(frozen=True, slots=True)
class DecisionsPage:
    """Decisions, newest first. `next_token` is empty on the last page."""

    decisions: Sequence[ListedDecision]
    next_token: str


class ListDecisions:
    """Lists the decisions of an organisation, newest first. Those that somebody changed are listed, too."""

    def __init__(self, log: DecisionLog, ledger: Ledger) -> None:
        self._log = log
        self._ledger = ledger

    async def __call__(
        self, org_id: str, page_size: int, page_token: str, operation: Operation | None = None
    ) -> DecisionsPage:
        """A page of at most `page_size` decisions, 0 for 50; only those over `operation`, where it is given.

        Raises:
            InvalidInput: PAGE_TOKEN_INVALID.
            UpstreamDown: The log cannot be read.
        """
        size = page_size or _DEFAULT_SIZE
        before, read, found = number_of(page_token), 0, list[RecordedDecision]()
        at_once = _READ_AT_ONCE if operation else size
        more = True
        while more and len(found) < size and read < _MOST_READ:
            records = await self._log.listed(org_id, before_sequence=before, limit=at_once + 1)
            more = len(records) > at_once
            for record in records[:at_once]:
                before, read = record.sequence, read + 1
                recorded = read_record(record)
                if _is_over(recorded, operation):
                    found.append(recorded)
                if len(found) == size:
                    more = more or record is not records[-1]
                    break
        listed = [ListedDecision(each, await self._attempt(each.record)) for each in found]
        return DecisionsPage(listed, token_of(str(before)) if more else "")

    async def _attempt(self, record: DecisionRecord) -> LedgerEntry | None:
        entries = await self._ledger.entries(record.org_id, decision_id=record.decision_id, newest_first=True)
        return next((each for each in entries if _succeeded(each)), entries[0] if entries else None)


def _is_over(recorded: RecordedDecision, operation: Operation | None) -> bool:
    """Whether it is to be listed: nobody knows what a damaged one was over."""
    return operation is None or recorded.decision is None or recorded.decision.request.operation is operation


def _succeeded(entry: LedgerEntry) -> bool:
    return entry.closing is not None and entry.closing.outcome is Outcome.SUCCEEDED
