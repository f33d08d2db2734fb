"""The configured budgets and rate limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.budget import BudgetLimit
from provider_router.domain.money.rate import Charge


class LimitBook(Protocol):
    """Answers from memory, within microseconds, by the configuration that is in force."""

    def budgets_for(self, caller: Caller, conversation_id: str) -> Sequence[BudgetLimit]:
        """The budgets that a call counts against, each with the caller's own id as `subject` and `org_id`."""
        ...

    def problem(self) -> str:
        """Why the newest configuration is not in force; empty when it is."""
        ...

    def rate_charges(self, caller: Caller, tokens: int) -> Sequence[Charge]:
        """What one call of `tokens` takes of the limits of its organisation, key and user. Empty without limits."""
        ...
