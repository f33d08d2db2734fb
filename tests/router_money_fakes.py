"""The ledger in memory, a book of limits, and builders of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, LedgerEntry, Outcome
from provider_router.domain.money.budget import BudgetLimit, BudgetStatus, Period, Scope
from provider_router.domain.money.model_usage import ModelUsage
from provider_router.domain.money.rate import Charge, Unit
from provider_router.domain.money.spending import day_of, first_day, payers, refusal, status_of, tightest_first
from shared.errors import UpstreamDown

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANN = Caller("acme", "ann", "key-1")
BOB = Caller("acme", "bob", "key-2")
EVE = Caller("evil", "ann", "key-3")


def opening(attempt_id: str = "a1", **changes: object) -> AttemptOpening:
    """An attempt of Ann's that reserves 100 micro-dollars at noon."""
    return AttemptOpening(
        **{
            "attempt_id": attempt_id,
            "decision_id": "d1",
            "caller": ANN,
            "conversation_id": "",
            "operation": Operation.CHAT,
            "service": "one/m",
            "deployment": "default",
            "number": 1,
            "streamed": True,
            "hedge": False,
            "price_version": "one/m@2026-01-01",
            "reserved": TokenUsage(10, 20),
            "reserved_micro_usd": 100,
            "time": NOON,
            **changes,
        }
    )


def closing(attempt_id: str = "a1", **changes: object) -> AttemptClosing:
    """The success of an attempt that cost 60 micro-dollars."""
    return AttemptClosing(
        **{
            "attempt_id": attempt_id,
            "outcome": Outcome.SUCCEEDED,
            "reason": "",
            "usage": TokenUsage(10, 5, 4, 3, 2),
            "estimated": False,
            "cost_micro_usd": 60,
            "first_token_ms": 70,
            "duration_ms": 900,
            "time": NOON + timedelta(seconds=1),
            **changes,
        }
    )


@dataclass
class FakeLimitBook:
    """Has the budgets and charges that it was given; `*` in a budget is the caller's own id."""

    budgets: Sequence[BudgetLimit] = ()
    charges: Sequence[Charge] = ()
    error: str = ""

    def budgets_for(self, caller: Caller, conversation_id: str) -> Sequence[BudgetLimit]:
        own = dict(payers(caller, conversation_id))
        return [
            replace(limit, subject=own[limit.scope], org_id=caller.org_id)
            for limit in self.budgets
            if limit.scope in own and limit.subject in ("*", own[limit.scope]) and limit.org_id in ("*", caller.org_id)
        ]

    def problem(self) -> str:
        return self.error

    def request_charges(self, caller: Caller) -> Sequence[Charge]:
        return [charge for charge in self.charges if charge.bucket.unit is Unit.REQUESTS]

    def token_charges(self, caller: Caller, tokens: int) -> Sequence[Charge]:
        sign = (tokens > 0) - (tokens < 0)
        return [Charge(c.bucket, sign * c.amount) for c in self.charges if sign and c.bucket.unit is Unit.TOKENS]


@dataclass
class LedgerRow:
    """A row, and which router opened it."""

    entry: LedgerEntry
    router_id: str


@dataclass
class SharedRows:
    """What several ledgers in memory share."""

    rows: dict[str, LedgerRow] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)


class MemoryLedger:
    """Implements `Ledger`: budgets are summed up over the rows each time. Set `error` to have it fail."""

    def __init__(
        self,
        limits: FakeLimitBook | None = None,
        *,
        shared: SharedRows | None = None,
        router_id: str = "r1",
        now: datetime = NOON,
    ) -> None:
        self.limits = limits or FakeLimitBook()
        self.shared = shared or SharedRows()
        self.router_id = router_id
        self.now = now
        self.error: UpstreamDown | None = None
        self.shared.alive.add(router_id)

    @property
    def rows(self) -> Sequence[LedgerEntry]:
        """All entries in the order of their openings."""
        return [row.entry for row in self.shared.rows.values()]

    async def open(self, opening: AttemptOpening) -> None:
        self._fail()
        if opening.attempt_id in self.shared.rows:
            return
        limits = self.limits.budgets_for(opening.caller, opening.conversation_id)
        statuses = [self._status(limit, day_of(opening.time)) for limit in limits]
        refused = refusal(statuses, opening.reserved_micro_usd, opening.time)
        if refused is not None:
            raise refused
        before = sum(row.opening.caller.org_id == opening.caller.org_id for row in self.rows)
        entry = LedgerEntry(before + 1, opening, None)
        self.shared.rows[opening.attempt_id] = LedgerRow(entry, self.router_id)

    async def close(self, closing: AttemptClosing) -> None:
        self._fail()
        row = self.shared.rows.get(closing.attempt_id)
        if row is not None and row.entry.closing is None:
            row.entry = replace(row.entry, closing=closing)

    async def recover(self) -> int:
        self._fail()
        lost = [r.entry for r in self.shared.rows.values() if r.router_id not in self.shared.alive]
        lost = [entry for entry in lost if entry.closing is None]
        for entry in lost:
            await self.close(
                AttemptClosing(
                    entry.opening.attempt_id,
                    Outcome.LOST,
                    "",
                    entry.opening.reserved,
                    estimated=True,
                    cost_micro_usd=entry.opening.reserved_micro_usd,
                    first_token_ms=None,
                    duration_ms=0,
                    time=self.now,
                )
            )
        return len(lost)

    async def budgets(self, caller: Caller, conversation_id: str, *, max_age_s: float = 0.0) -> Sequence[BudgetStatus]:
        self._fail()
        limits = self.limits.budgets_for(caller, conversation_id)
        return tightest_first(self._status(limit, day_of(self.now)) for limit in limits)

    async def entries(
        self,
        org_id: str,
        *,
        after_sequence: int = 0,
        decision_id: str = "",
        limit: int = 100,
        newest_first: bool = False,
    ) -> Sequence[LedgerEntry]:
        self._fail()
        found = [e for e in self.rows if e.opening.caller.org_id == org_id]
        found = [e for e in found if not decision_id or e.opening.decision_id == decision_id]
        if newest_first:
            found = [e for e in reversed(found) if not after_sequence or e.sequence < after_sequence]
        else:
            found = [e for e in found if e.sequence > after_sequence]
        return [
            replace(e, opening=replace(e.opening, caller=replace(e.opening.caller, roles=()))) for e in found[:limit]
        ]

    async def summary(self, org_id: str, since: datetime, until: datetime) -> Sequence[ModelUsage]:
        self._fail()
        by_model: dict[str, list[LedgerEntry]] = {}
        for entry in self.rows:
            is_in = entry.opening.caller.org_id == org_id and since <= entry.opening.time < until
            if is_in and entry.closing is not None:
                by_model.setdefault(entry.opening.service, []).append(entry)
        found = [_usage_of(service, entries) for service, entries in by_model.items()]
        return sorted(found, key=lambda each: (-each.cost_micro_usd, each.service))

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    def _status(self, limit: BudgetLimit, day: int) -> BudgetStatus:
        spent = reserved = 0
        for entry in self.rows:
            opened = entry.opening
            if day_of(opened.time) < first_day(limit.period, day) or not _pays(limit, opened):
                continue
            if entry.closing is None:
                reserved += opened.reserved_micro_usd
            else:
                spent += entry.closing.cost_micro_usd
        return status_of(limit, spent, reserved, day)


def _pays(limit: BudgetLimit, opened: AttemptOpening) -> bool:
    return opened.caller.org_id == limit.org_id and (limit.scope, limit.subject) in payers(
        opened.caller, opened.conversation_id
    )


def _usage_of(service: str, entries: Sequence[LedgerEntry]) -> ModelUsage:
    closings = [entry.closing for entry in entries if entry.closing is not None]
    usages = [c.usage for c in closings]
    names = (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "reasoning_tokens",
        "cache_write_input_tokens",
    )
    return ModelUsage(
        service,
        len(closings),
        sum(c.outcome is Outcome.SUCCEEDED for c in closings),
        TokenUsage(*(sum(getattr(usage, name) for usage in usages) for name in names)),
        sum(c.cost_micro_usd for c in closings),
        sum(c.estimated for c in closings),
        sum(entry.cost_is_unknown for entry in entries),
    )


def monthly(limit_micro_usd: int, scope: Scope = Scope.ORGANISATION, subject: str = "*", **changes) -> BudgetLimit:
    """A budget for a month."""
    return BudgetLimit(
        **{"scope": scope, "subject": subject, "period": Period.MONTH, "limit_micro_usd": limit_micro_usd, **changes}
    )


def daily(limit_micro_usd: int, scope: Scope = Scope.ORGANISATION, subject: str = "*", **changes) -> BudgetLimit:
    """A budget for a day."""
    return BudgetLimit(
        **{"scope": scope, "subject": subject, "period": Period.DAY, "limit_micro_usd": limit_micro_usd, **changes}
    )
