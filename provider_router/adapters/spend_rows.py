"""What was spent and what is reserved, by payer and day: the table that budgets are counted in.

Every payer of every attempt that costs something is counted, whether it has a budget or not. So a budget that is added
or changed in the middle of a month knows at once what was spent before, and limits are nothing but configuration. The
rows are the sums of the ledger's and change with them in one transaction, until their month is over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from provider_router.domain.money.budget import BudgetLimit, BudgetStatus, Period, Scope
from provider_router.domain.money.spending import first_day, status_of

_ROW = "(?, ?, ?, ?, ?, ?)"
_ADD = (
    "INSERT INTO spend (org_id, scope, subject, day, spent_micro_usd, reserved_micro_usd) VALUES {rows} "
    "ON CONFLICT DO UPDATE SET spent_micro_usd = spent_micro_usd + excluded.spent_micro_usd, "
    "reserved_micro_usd = reserved_micro_usd + excluded.reserved_micro_usd"
)
# One statement for each number of payers, so that each is prepared once.
_ADD_BY_COUNT = tuple(_ADD.format(rows=", ".join([_ROW] * count)) for count in range(len(Scope) + 1))
_SUM = (
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


def add(
    connection: sqlite3.Connection,
    org_id: str,
    paying: Sequence[tuple[Scope, str]],
    day: int,
    amounts: tuple[int, int],
) -> None:
    """Add to what was spent and to what is reserved, in millionths of a US dollar, either of which may be negative."""
    if amounts == (0, 0):
        return
    parameters = [value for scope, subject in paying for value in (org_id, scope.value, subject, day, *amounts)]
    connection.execute(_ADD_BY_COUNT[len(paying)], parameters)


def statuses(connection: sqlite3.Connection, limits: Sequence[BudgetLimit], day: int) -> list[BudgetStatus]:
    """The budgets of `limits`, each with one id as its subject, on `day`."""
    found: list[BudgetStatus] = []
    for limit in limits:
        where = (limit.org_id, limit.scope.value, limit.subject, first_day(limit.period, day))
        spent, reserved = connection.execute(_SUM, where).fetchone()
        found.append(status_of(limit, spent, reserved, day))
    return found


def forget_ended(connection: sqlite3.Connection, day: int) -> None:
    """Remove some of the rows that no budget of `day` or of a later one counts."""
    connection.execute(FORGET, (first_day(Period.MONTH, day) - _CLOCKS_DIFFER_DAYS, _FORGOTTEN_AT_ONCE))
