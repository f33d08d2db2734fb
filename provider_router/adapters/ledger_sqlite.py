"""The ledger in SQLite: written through the group commit, listed over connections of its own.

Rows are never deleted. They are the record of what was spent, and the only one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from provider_router.adapters import spend_rows
from provider_router.adapters.ledger_notebook import LedgerNotebook
from provider_router.adapters.ledger_rows import ENTRY_COLUMNS, entry_of, microseconds
from provider_router.adapters.router_presence import RouterPresence
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import UNKNOWN_PRICE
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, LedgerEntry
from provider_router.domain.money.budget import BudgetStatus
from provider_router.domain.money.model_usage import ModelUsage
from provider_router.domain.money.spending import day_of, tightest_first
from provider_router.ports.limit_book import LimitBook
from shared.clock import Clock
from shared.errors import UpstreamDown
from shared.storage import Database, GroupCommit

_CLOSINGS_KEPT = 10_000

OPEN_ROUTERS = "SELECT DISTINCT router_id FROM ledger_attempts WHERE outcome = 'open'"
_LISTED = f"SELECT {ENTRY_COLUMNS} FROM ledger_attempts WHERE org_id = :org_id"  # noqa: S608
_FORWARDS = "AND sequence > :after ORDER BY sequence LIMIT :limit"
_BACKWARDS = "AND (:after = 0 OR sequence < :after) ORDER BY sequence DESC LIMIT :limit"
_OF_DECISION = "AND decision_id = :decision_id"
SUMMARY = (
    "SELECT service, count(*), sum(outcome = 'succeeded'), sum(input_tokens), sum(output_tokens), "
    "sum(cached_input_tokens), sum(reasoning_tokens), sum(cache_write_tokens), sum(cost_micro_usd), sum(estimated), "
    "sum(price_version = :unknown_price AND cost_micro_usd = 0 AND input_tokens + output_tokens > 0) "
    "FROM ledger_attempts WHERE org_id = :org_id AND opened_us >= :since AND opened_us < :until AND outcome <> 'open' "
    "GROUP BY service ORDER BY sum(cost_micro_usd) DESC, service"
)


def listing(*, of_decision: bool, newest_first: bool) -> str:
    """The statement that lists rows by sequence."""
    order = _BACKWARDS if newest_first else _FORWARDS
    return f"{_LISTED} {_OF_DECISION} {order}" if of_decision else f"{_LISTED} {order}"


class SqliteLedger:
    """Implements `Ledger` over one SQLite file that any number of routers may share.

    Args:
        database: For reading.
        writer: Of the same file.
        limits: The budgets in force.
        presence: Of this router; announced before the first attempt is opened.
        clock: For `recover` and `budgets`; attempts bring their own times.

    Attributes:
        notebook: Of `writer`, for operations that do more.
    """

    def __init__(
        self, database: Database, writer: GroupCommit, limits: LimitBook, presence: RouterPresence, clock: Clock
    ) -> None:
        self._database = database
        self._writer = writer
        self.notebook = writer.notebook(LedgerNotebook)
        self._limits = limits
        self._presence = presence
        self._clock = clock
        self._unwritten: dict[str, AttemptClosing] = {}

    async def open(self, opening: AttemptOpening) -> None:
        """See `Ledger.open`."""
        await self._writer.note(self.opening(opening), self.notebook, failed=lambda _: self.not_opened(opening))

    def opening(self, opening: AttemptOpening) -> Callable[[], None]:
        """What `open` has the writer do."""
        notebook, router_id = self.notebook, self._presence.router_id
        costs = opening.reserved_micro_usd > 0
        limits = self._limits.budgets_for(opening.caller, opening.conversation_id) if costs else ()
        return lambda: notebook.open(opening, router_id, limits)

    def not_opened(self, opening: AttemptOpening) -> None:
        """To be told when the operation with `opening` in it failed: its transaction may have been undone."""
        self.notebook.forget(opening.attempt_id)

    async def close(self, closing: AttemptClosing) -> None:
        """See `Ledger.close`."""
        notebook = self.notebook
        try:
            written = self._writer.note(lambda: notebook.close(closing), notebook, failed=lambda _: self._keep(closing))
        except UpstreamDown:
            self._keep(closing)
            raise
        await written

    async def recover(self) -> int:
        """See `Ledger.recover`. Counters of months that are over are removed too."""
        for closing in list(self._unwritten.values()):
            await self.close(closing)
            self._unwritten.pop(closing.attempt_id, None)
        routers = await self._writer.run(_routers_with_open_attempts)
        settled = 0
        for router_id in routers:
            if router_id == self._presence.router_id or not await asyncio.to_thread(self._presence.is_gone, router_id):
                continue
            while lost := await self._settle_lost(router_id):
                settled += lost
        day = day_of(self._clock.now())
        await self._writer.run(lambda connection: spend_rows.forget_ended(connection, day))
        return settled

    async def budgets(self, caller: Caller, conversation_id: str, *, max_age_s: float = 0.0) -> Sequence[BudgetStatus]:
        """See `Ledger.budgets`."""
        limits = self._limits.budgets_for(caller, conversation_id)
        if not limits:
            return ()
        day = day_of(self._clock.now())
        notebook = self.notebook
        if max_age_s > 0 and (known := notebook.known_statuses(limits, day, max_age_s)) is not None:
            return tightest_first(known)
        return tightest_first(await self._writer.note(lambda: notebook.statuses(limits, day), notebook))

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
        statement = text(listing(of_decision=bool(decision_id), newest_first=newest_first))
        parameters = {"org_id": org_id, "after": after_sequence, "limit": limit}
        if decision_id:
            parameters["decision_id"] = decision_id
        async with self._database.connect() as connection:
            return [entry_of(row) for row in await connection.execute(statement, parameters)]

    async def summary(self, org_id: str, since: datetime, until: datetime) -> Sequence[ModelUsage]:
        """See `Ledger.summary`."""
        times = {"since": microseconds(since), "until": microseconds(until)}
        parameters = {"org_id": org_id, **times, "unknown_price": UNKNOWN_PRICE}
        async with self._database.connect() as connection:
            return [_usage_of(row) for row in await connection.execute(text(SUMMARY), parameters)]

    def _keep(self, closing: AttemptClosing) -> None:
        """Remember a closing that could not be written, for `recover`."""
        if len(self._unwritten) < _CLOSINGS_KEPT:
            self._unwritten.setdefault(closing.attempt_id, closing)

    async def _settle_lost(self, router_id: str) -> int:
        """Settle some of the attempts that a dead router left open; returns how many. How long they took is unknown."""
        notebook, now = self.notebook, self._clock.now()
        return await self._writer.note(lambda: notebook.settle_lost(router_id, now), notebook)


def _routers_with_open_attempts(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute(OPEN_ROUTERS)]


def _usage_of(row: Sequence[Any]) -> ModelUsage:
    service, attempts, succeeded, *tokens, cost_micro_usd, estimated, cost_unknown = row
    return ModelUsage(service, attempts, succeeded, TokenUsage(*tokens), cost_micro_usd, estimated, cost_unknown)
