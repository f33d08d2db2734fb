"""Metrics of the ledger.

Labels are the closed sets of operations, outcomes, scopes and periods. Subjects are no labels: there may be any number
of users, keys and conversations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from prometheus_client import Counter, Gauge

from provider_router.domain.decisions.call_entry import AttemptEntry, CallEntry, NoRoom
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, LedgerEntry
from provider_router.domain.money.budget import BudgetStatus, Period, Scope
from provider_router.domain.money.model_usage import ModelUsage
from provider_router.ports.call_opener import CallOpener
from provider_router.ports.ledger import Ledger
from shared.clock import Clock
from shared.errors import NexusError, QuotaExceeded
from shared.telemetry.tally import Counts, Spreads

_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10)
_WRITES = Counts("nexus_router_ledger_writes_total", "Writes of the ledger.", ("operation", "outcome"))
_DURATION = Spreads(
    "nexus_router_ledger_write_seconds", "From asking for a write to its commit.", ("operation",), buckets=_SECONDS
)
_RECOVERED = Counter("nexus_router_ledger_recovered_total", "Attempts that dead routers left open.")
_LEFT = Gauge(
    "nexus_router_budget_left_ratio",
    "The least share that any budget of a scope had left in this period, as this router saw it; 1 for untouched.",
    ("scope", "period"),
)
T = TypeVar("T")
_OUTCOMES = ("ok", "refused", "failed")


class _Meter:
    """The metrics of one operation; their children are looked up once."""

    def __init__(self, operation: str, clock: Clock) -> None:
        self._clock = clock
        self._duration = _DURATION.labels(operation)
        self._ok, self._refused, self._failed = (_WRITES.labels(operation, outcome) for outcome in _OUTCOMES)

    async def measured(self, write: Awaitable[T]) -> T:
        """Waits for a write and measures it; one that is cancelled is not counted."""
        began = self._clock.monotonic()
        try:
            written = await write
        except QuotaExceeded:
            self._refused.inc()
            raise
        except NexusError:
            self._failed.inc()
            raise
        self._ok.inc()
        self._duration.observe(self._clock.monotonic() - began)
        return written


@dataclass(slots=True)
class _Least:
    """The budget with the least left of a scope and period."""

    status: BudgetStatus

    def share_left(self) -> float:
        """What of it is left."""
        return _share_left(self.status)


class MeteredCallOpener:
    """Implements `CallOpener` by another one, whose openings of attempts it counts and times as the ledger's."""

    def __init__(self, opener: CallOpener, clock: Clock) -> None:
        self._opener = opener
        self._opens = _Meter("open", clock)

    async def open(self, call: CallEntry | None, attempt: AttemptEntry | None) -> NoRoom | None:
        """See `CallOpener.open`."""
        opened = self._opener.open(call, attempt)
        return await (self._opens.measured(opened) if attempt is not None else opened)


class MeteredLedger:
    """Implements `Ledger` by another one, whose calls it counts and times."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._opens, self._closes = _Meter("open", clock), _Meter("close", clock)
        self._least: dict[tuple[Scope, Period], _Least] = {}

    async def open(self, opening: AttemptOpening) -> None:
        """See `Ledger.open`."""
        await self._opens.measured(self._ledger.open(opening))

    async def close(self, closing: AttemptClosing) -> None:
        """See `Ledger.close`."""
        await self._closes.measured(self._ledger.close(closing))

    async def recover(self) -> int:
        """See `Ledger.recover`."""
        recovered = await self._ledger.recover()
        _RECOVERED.inc(recovered)
        return recovered

    async def budgets(self, caller: Caller, conversation_id: str, *, max_age_s: float = 0.0) -> Sequence[BudgetStatus]:
        """See `Ledger.budgets`. Called for each decision, so the gauge follows what is spent."""
        found = await self._ledger.budgets(caller, conversation_id, max_age_s=max_age_s)
        if found:
            self._note(found)
        return found

    async def entries(
        self,
        org_id: str,
        *,
        after_sequence: int = 0,
        decision_id: str = "",
        limit: int = 100,
        newest_first: bool = False,
    ) -> Sequence[LedgerEntry]:
        """See `Ledger.entries`."""
        return await self._ledger.entries(
            org_id, after_sequence=after_sequence, decision_id=decision_id, limit=limit, newest_first=newest_first
        )

    async def summary(self, org_id: str, since: datetime, until: datetime) -> Sequence[ModelUsage]:
        """See `Ledger.summary`."""
        return await self._ledger.summary(org_id, since, until)

    def _note(self, statuses: Iterable[BudgetStatus]) -> None:
        """Keep the budget with the least left of each scope and period, until it has more or the period is over."""
        for status in statuses:
            place = (status.scope, status.period)
            known = self._least.get(place)
            if known is None:
                known = self._least[place] = _Least(status)
                # Worked out when somebody looks.
                _LEFT.labels(*place).set_function(known.share_left)
            elif (
                known.status.subject != status.subject
                and known.status.reset_time == status.reset_time
                and _share_left(status) >= _share_left(known.status)
            ):
                continue
            known.status = status


def _share_left(status: BudgetStatus) -> float:
    return status.left_micro_usd / status.limit_micro_usd if status.limit_micro_usd else 0.0
