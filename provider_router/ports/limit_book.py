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

    def request_charges(self, caller: Caller) -> Sequence[Charge]:
        """What one call takes of the limits on requests of its organisation, key and user. Empty without limits."""
        ...

    def token_charges(self, caller: Caller, tokens: int) -> Sequence[Charge]:
        """What `tokens` take of their limits on tokens; of a negative number, what to give back."""
        ...
