"""What was spent and what is reserved, by payer and day: the table that budgets are counted in.

Every payer of every attempt that costs something is counted, whether it has a budget or not. So a budget that is added
or changed in the middle of a month knows at once what was spent before, and limits are nothing but configuration. The
rows are the sums of the ledger's and change with them in one transaction, until their month is over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

from provider_router.domain.money.budget import BudgetLimit, BudgetStatus, Period, Scope
from provider_router.domain.money.spending import first_day, status_of
from shared.storage import ManyRows

ADD = ManyRows(
    "INSERT INTO spend (org_id, scope, subject, day, spent_micro_usd, reserved_micro_usd) VALUES {rows} "
    "ON CONFLICT DO UPDATE SET spent_micro_usd = spent_micro_usd + excluded.spent_micro_usd, "
    "reserved_micro_usd = reserved_micro_usd + excluded.reserved_micro_usd",
    "(?, ?, ?, ?, ?, ?)",
)
SUM = (
    "SELECT coalesce(sum(spent_micro_usd), 0), coalesce(sum(reserved_micro_usd), 0) FROM spend "
    "WHERE org_id = ? AND scope = ? AND subject = ? AND day >= ?"
)

# A row that still holds a reservation stays until that is settled. There are many rows, one for each conversation and
# day, so they go a few at a time.
FORGET = (
    "DELETE FROM spend WHERE (org_id, scope, subject, day) IN "
    "(SELECT org_id, scope, subject, day FROM spend WHERE day < ? AND reserved_micro_usd = 0 LIMIT ?)"
)
_FORGOTTEN_AT_ONCE = 1000
_CLOCKS_DIFFER_DAYS = 2
_MOST_KNOWN = 20_000
_Payer: TypeAlias = tuple[str, Scope, str]
_Amounts: TypeAlias = list[int]


class SpendRows:
    """The rows as one transaction after the other sees them: a part of the ledger's notebook.

    Amounts are what was spent and what is reserved, in millionths of a US dollar.
    """

    def __init__(self) -> None:
        # By payer and the first day that counts, as a budget asked for them.
        self._levels: dict[_Payer, dict[int, _Amounts]] = {}
        self._added: dict[tuple[str, Scope, str, int], _Amounts] = {}

    def begin(self, *, is_known: bool) -> None:
        """Begins a transaction; `is_known` says that what was known is still so."""
        self._added.clear()
        if not is_known or len(self._levels) > _MOST_KNOWN:
            self._levels.clear()

    def add(
        self, org_id: str, paying: Sequence[tuple[Scope, str]], day: int, spent_micro_usd: int, reserved_micro_usd: int
    ) -> None:
        """Adds to what was spent and to what is reserved, either of which may be negative."""
        for scope, subject in paying:
            key = (org_id, scope, subject, day)
            found = self._added.get(key)
            if found is None:
                found = self._added[key] = [0, 0]
            found[0] += spent_micro_usd
            found[1] += reserved_micro_usd
            levels = self._levels.get((org_id, scope, subject))
            if levels is not None:
                for first, level in levels.items():
                    if day >= first:
                        level[0] += spent_micro_usd
                        level[1] += reserved_micro_usd

    def statuses(self, connection: sqlite3.Connection, limits: Sequence[BudgetLimit], day: int) -> list[BudgetStatus]:
        """The budgets of `limits`, each with one id as its subject, on `day`."""
        found: list[BudgetStatus] = []
        for limit in limits:
            spent, reserved = self._level(connection, limit, day)
            found.append(status_of(limit, spent, reserved, day))
        return found

    def have_room(
        self, connection: sqlite3.Connection, limits: Sequence[BudgetLimit], day: int, needed_micro_usd: int
    ) -> bool:
        """Whether every budget of `limits` has so much left on `day`."""
        for limit in limits:
            spent, reserved = self._level(connection, limit, day)
            if spent + reserved + needed_micro_usd > limit.limit_micro_usd:
                return False
        return True

    def known(self, limits: Sequence[BudgetLimit], day: int) -> list[BudgetStatus] | None:
        """What `statuses` would say without a look into the file; None when it would have to look."""
        found: list[BudgetStatus] = []
        for limit in limits:
            levels = self._levels.get((limit.org_id, limit.scope, limit.subject))
            level = levels.get(first_day(limit.period, day)) if levels else None
            if level is None:
                return None
            found.append(status_of(limit, level[0], level[1], day))
        return found

    def end(self, connection: sqlite3.Connection) -> None:
        """Writes what was added."""
        rows = [
            (org_id, str(scope), subject, day, *amounts)
            for (org_id, scope, subject, day), amounts in self._added.items()
            if amounts != [0, 0]
        ]
        if rows:
            ADD.execute(connection, rows)
        self._added.clear()

    def _level(self, connection: sqlite3.Connection, limit: BudgetLimit, day: int) -> _Amounts:
        payer = (limit.org_id, limit.scope, limit.subject)
        first = first_day(limit.period, day)
        levels = self._levels.get(payer)
        if levels is None:
            levels = self._levels[payer] = {}
        level = levels.get(first)
        if level is None:
            level = levels[first] = self._read(connection, payer, first)
        return level

    def _read(self, connection: sqlite3.Connection, payer: _Payer, first: int) -> _Amounts:
        spent, reserved = connection.execute(SUM, (payer[0], str(payer[1]), payer[2], first)).fetchone()
        for (*which, day), amounts in self._added.items():
            if tuple(which) == payer and day >= first:
                spent, reserved = spent + amounts[0], reserved + amounts[1]
        return [spent, reserved]


def forget_ended(connection: sqlite3.Connection, day: int) -> None:
    """Remove some of the rows that no budget of `day` or of a later one counts."""
    connection.execute(FORGET, (first_day(Period.MONTH, day) - _CLOCKS_DIFFER_DAYS, _FORGOTTEN_AT_ONCE))
