"""Budgets: how much may be spent, by whom, in which period."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from shared.value import value


class Scope(StrEnum):
    """What a budget or a rate limit is for."""

    ORGANISATION = "organisation"
    KEY = "key"
    USER = "user"
    CONVERSATION = "conversation"
    PROVIDER = "provider"
    DEPLOYMENT = "deployment"


class Period(StrEnum):
    """How often a budget starts anew, in UTC."""

    DAY = "day"
    MONTH = "month"


@value
class BudgetLimit:
    """A configured budget. `subject` is the id of what it is for, or `*` for each one of its own."""

    scope: Scope
    subject: str
    period: Period
    limit_micro_usd: int
    org_id: str = "*"


@value
class BudgetStatus:
    """A budget in its current period.

    Attributes:
        scope: What it is for.
        subject: The id of that.
        period: How often it starts anew.
        limit_micro_usd: What may be spent.
        spent_micro_usd: Settled.
        reserved_micro_usd: By attempts that are open.
        reset_time: When it starts anew, UTC.
    """

    scope: Scope
    subject: str
    period: Period
    limit_micro_usd: int
    spent_micro_usd: int
    reserved_micro_usd: int
    reset_time: datetime

    @property
    def left_micro_usd(self) -> int:
        """What may still be reserved; never negative."""
        return max(0, self.limit_micro_usd - self.spent_micro_usd - self.reserved_micro_usd)
