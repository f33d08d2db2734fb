"""The ledger of attempts, and the budgets that it counts against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, LedgerEntry
from provider_router.domain.money.budget import BudgetStatus
from provider_router.domain.money.model_usage import ModelUsage


class Ledger(Protocol):
    """Durable, and shared by every replica: what holds in one process holds over all of them."""

    async def open(self, opening: AttemptOpening) -> None:
        """Reserves the attempt's cost in every budget that it counts against, all or none, and writes its row.

        Returns when both would survive a killed process. Idempotent by `attempt_id`. When it is cancelled, it may take
        place or not; a closing after it does what is right in both cases.

        Raises:
            QuotaExceeded: BUDGET_EXHAUSTED, with the budget, what is short and when it starts anew.
            UpstreamDown: The store cannot be written.
        """
        ...

    async def close(self, closing: AttemptClosing) -> None:
        """Settles an attempt: budgets count its cost instead of what was reserved, in the period of the opening.

        Idempotent by `attempt_id`: the first closing counts. An attempt that was never opened is left alone. It takes
        place even when it is cancelled.

        Raises:
            UpstreamDown: The store cannot be written now. The closing is kept, and `recover` tries it again.
        """
        ...

    async def recover(self) -> int:
        """Settles, as LOST and at what was reserved, the attempts that dead routers left open; returns how many.

        Tries again the closings of this router that could not be written. Attempts of routers that live are left
        alone. To be called at the start and now and then.
        """
        ...

    async def budgets(self, caller: Caller, conversation_id: str, *, max_age_s: float = 0.0) -> Sequence[BudgetStatus]:
        """The budgets that a call of `caller` counts against, the tightest first.

        Args:
            caller: Who calls.
            conversation_id: Empty for none.
            max_age_s: What other routers did so recently may be missing.
        """
        ...

    async def entries(
        self,
        org_id: str,
        *,
        after_sequence: int = 0,
        decision_id: str = "",
        limit: int = 100,
        newest_first: bool = False,
    ) -> Sequence[LedgerEntry]:
        """Rows of `org_id` by sequence, of one decision where that is given.

        Args:
            org_id: Whose rows.
            after_sequence: Of the last row of the page before; 0 for the first page.
            decision_id: Empty for all.
            limit: Most rows.
            newest_first: Backwards.
        """
        ...

    async def summary(self, org_id: str, since: datetime, until: datetime) -> Sequence[ModelUsage]:
        """The closed attempts of `org_id` that were opened from `since` until before `until`, the dearest first."""
        ...
