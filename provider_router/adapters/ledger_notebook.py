"""The ledger as its writer knows it: attempts are noted, and written together at the end of a transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provider_router.adapters.ledger_rows import (
    INSERT,
    IS_THERE,
    NEWEST,
    OPEN_ATTEMPTS,
    SETTLE,
    SETTLE_BY_ID,
    UNDO,
    closing_row,
    opening_row,
)
from provider_router.adapters.spend_rows import SpendRows
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, Outcome
from provider_router.domain.money.budget import BudgetLimit, BudgetStatus, Scope
from provider_router.domain.money.spending import day_of, payers, refusal
from shared.errors import Internal

_RECOVERED_AT_ONCE = 50


@dataclass(slots=True)
class _Open:
    """An attempt that this router opened, as its row has it; `sequence` is 0 before that is written."""

    opening: AttemptOpening
    day: int
    generation: int
    sequence: int = 0
    paying: Sequence[tuple[Scope, str]] = ()


class LedgerNotebook:
    """Implements `Notebook`."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._generation = -1
        self._looked_s = float("-inf")
        self._spend = SpendRows()
        # The newest sequence of each organisation.
        self._newest: dict[str, int] = {}
        self._open: dict[str, _Open] = {}
        # Of this transaction.
        self._opened: list[tuple[_Open, tuple[Any, ...]]] = []
        self._closed: dict[str, tuple[_Open, AttemptClosing]] = {}

    def begin(self, connection: sqlite3.Connection, generation: int) -> None:
        """See `Notebook.begin`."""
        self._connection = connection
        self._looked_s = time.monotonic()
        is_known = generation == self._generation
        self._spend.begin(is_known=is_known)
        if not is_known:
            self._newest.clear()
            self._generation = generation
        self._opened.clear()
        self._closed.clear()

    def end(self) -> None:
        """See `Notebook.end`."""
        connection = self._writable()
        if self._opened:
            self._insert(connection)
        if self._closed:
            self._settle(connection)
        self._spend.end(connection)

    def open(
        self,
        opening: AttemptOpening,
        router_id: str,
        limits: Sequence[BudgetLimit],
    ) -> None:
        """Reserves and notes the row; see `Ledger.open`.

        Raises:
            QuotaExceeded: BUDGET_EXHAUSTED.
        """
        attempt_id, day = opening.attempt_id, day_of(opening.time)
        if attempt_id in self._open or attempt_id in self._closed:
            return
        needed_micro_usd = opening.reserved_micro_usd
        if limits and not self._spend.have_room(self._writable(), limits, day, needed_micro_usd):
            refused = refusal(self.statuses(limits, day), needed_micro_usd, opening.time)
            if refused is not None:
                if self._is_there(attempt_id):
                    return  # with its reservation
                raise refused
        noted = self._open[attempt_id] = _Open(opening, day, self._generation)
        self._opened.append((noted, opening_row(opening, router_id)))
        self._count(noted, 0, opening.reserved_micro_usd)

    def close(self, closing: AttemptClosing) -> None:
        """Settles an attempt; see `Ledger.close`."""
        attempt_id = closing.attempt_id
        known = self._open.pop(attempt_id, None)
        if known is not None:
            self._closed[attempt_id] = (known, closing)
            self._count(known, closing.cost_micro_usd, -known.opening.reserved_micro_usd)
        elif attempt_id not in self._closed:
            self._settle_by_id(closing)

    def forget(self, attempt_id: str) -> None:
        """Takes note, in any thread, that an attempt was not opened after all."""
        self._open.pop(attempt_id, None)

    def settle_lost(self, router_id: str, now: datetime) -> int:
        """Settles some of the attempts that a dead router left open, at what was reserved; returns how many."""
        rows = self._writable().execute(OPEN_ATTEMPTS, (router_id, _RECOVERED_AT_ONCE)).fetchall()
        for attempt_id, *tokens, cost_micro_usd in rows:
            lost = AttemptClosing(
                attempt_id,
                Outcome.LOST,
                "",
                TokenUsage(*tokens),
                estimated=True,
                cost_micro_usd=cost_micro_usd,
                first_token_ms=None,
                duration_ms=0,
                time=now,
            )
            self._settle_by_id(lost)
        return len(rows)

    def known_statuses(self, limits: Sequence[BudgetLimit], day: int, max_age_s: float) -> list[BudgetStatus] | None:
        """The budgets as they were known so recently, for any thread; None when they are not.

        Reservations that are about to be written may be counted already.
        """
        if time.monotonic() - self._looked_s > max_age_s:
            return None
        return self._spend.known(limits, day)

    def statuses(self, limits: Sequence[BudgetLimit], day: int) -> list[BudgetStatus]:
        """The budgets of `limits` on `day`."""
        return self._spend.statuses(self._writable(), limits, day)

    def _writable(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Internal("NOT_BEGUN", "The ledger's notebook is used outside of a transaction.")
        return self._connection

    def _is_there(self, attempt_id: str) -> bool:
        return self._writable().execute(IS_THERE, (attempt_id,)).fetchone() is not None

    def _count(self, known: _Open, spent_micro_usd: int, reserved_micro_usd: int) -> None:
        if spent_micro_usd or reserved_micro_usd:
            opening = known.opening
            known.paying = known.paying or payers(opening.caller, opening.conversation_id)
            self._spend.add(opening.caller.org_id, known.paying, known.day, spent_micro_usd, reserved_micro_usd)

    def _insert(self, connection: sqlite3.Connection) -> None:
        organisations = {known.opening.caller.org_id for known, _ in self._opened}
        for org_id in organisations - self._newest.keys():
            (self._newest[org_id],) = connection.execute(NEWEST, (org_id,)).fetchone()
        before = {org_id: self._newest[org_id] for org_id in organisations}
        if INSERT.execute(connection, self._numbered()) == len(self._opened):
            return
        # Some were there already. Once more without them, so that the numbers have no gaps.
        for place in before.items():
            connection.execute(UNDO, place)
        self._newest.update(before)
        for known, _ in self._opened:
            if self._is_there(known.opening.attempt_id):
                self._was_there(known)
        self._opened = [each for each in self._opened if each[0].sequence]
        INSERT.execute(connection, self._numbered())

    def _numbered(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for known, row in self._opened:
            org_id = known.opening.caller.org_id
            known.sequence = self._newest[org_id] = self._newest[org_id] + 1
            rows.append((known.sequence, *row))
        return rows

    def _was_there(self, known: _Open) -> None:
        """Takes back an opening whose row was there, and settles that row where the attempt has ended, too."""
        attempt_id = known.opening.attempt_id
        known.sequence = 0
        self._open.pop(attempt_id, None)
        self._count(known, 0, -known.opening.reserved_micro_usd)
        ended = self._closed.pop(attempt_id, None)
        if ended is not None:
            self._settle_again(*ended)

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Writes the closings. Since an opening of another generation its row may have been settled, or undone."""
        is_sure = all(known.generation == self._generation for known, _ in self._closed.values())
        if not is_sure:
            connection.execute("SAVEPOINT settle")
        rows = [
            (known.opening.caller.org_id, known.sequence, closing.attempt_id, *closing_row(closing))
            for known, closing in self._closed.values()
        ]
        are_settled = SETTLE.execute(connection, rows) == len(rows)
        if is_sure:
            if not are_settled:
                raise Internal("LEDGER_ROWS", "Rows of the ledger are not as this router wrote them.")
            return
        if not are_settled:
            connection.execute("ROLLBACK TO settle")
            for known, closing in self._closed.values():
                self._settle_again(known, closing)
        connection.execute("RELEASE settle")

    def _settle_again(self, known: _Open, closing: AttemptClosing) -> None:
        """Settles by its id what was counted as if its row were open."""
        self._count(known, -closing.cost_micro_usd, known.opening.reserved_micro_usd)
        self._settle_by_id(closing)

    def _settle_by_id(self, closing: AttemptClosing) -> None:
        """Closes a row that is open, and counts its cost instead of what was reserved."""
        rows = self._writable().execute(SETTLE_BY_ID, (*closing_row(closing), closing.attempt_id)).fetchall()
        for org_id, user_id, key_id, conversation_id, day, reserved_micro_usd in rows:
            paying = payers(Caller(org_id, user_id, key_id), conversation_id)
            self._spend.add(org_id, paying, day, closing.cost_micro_usd, -reserved_micro_usd)
