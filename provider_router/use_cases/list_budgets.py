"""Lists what a caller may still spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.budget import BudgetStatus
from provider_router.ports.ledger import Ledger
from provider_router.ports.limit_book import LimitBook


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """Budgets, the tightest first, and why the newest configuration of them is not in force."""

    budgets: Sequence[BudgetStatus]
    config_error: str


class ListBudgets:
    """Reads the ledger and the book of limits."""

    def __init__(self, ledger: Ledger, book: LimitBook) -> None:
        self._ledger = ledger
        self._book = book

    async def __call__(self, caller: Caller, conversation_id: str) -> BudgetReport:
        """The budgets that a call counts against; `conversation_id` is empty for none.

        Raises:
            PreconditionFailed: LIMITS_INVALID.
            UpstreamDown: The ledger cannot be read.
        """
        return BudgetReport(await self._ledger.budgets(caller, conversation_id), self._book.problem())
