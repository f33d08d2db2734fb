"""Budgets and rate limits as they are configured, and which of them apply to whom.

A limit is for one subject or, with `*`, for each one of its own. Of several limits with the same scope and the same
period (or unit), the most exact one applies to a caller, and the others do not: one that names the subject comes before
one that does not, and then one that names the organisation. So a general limit may be lowered for one user, and raised.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from provider_router.domain.money.budget import BudgetLimit, Scope
from provider_router.domain.money.rate import Unit

EVERY = "*"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A configured rate limit. The fields mean what they mean in `BudgetLimit` and `Bucket`."""

    scope: Scope
    subject: str
    unit: Unit
    per_minute: int
    org_id: str = EVERY


@dataclass(frozen=True, slots=True)
class Limits:
    """All that is configured. Empty means unlimited."""

    budgets: tuple[BudgetLimit, ...] = ()
    rates: tuple[RateLimit, ...] = ()


_Limit = TypeVar("_Limit", BudgetLimit, RateLimit)


def applicable(limits: Iterable[_Limit], org_id: str, own: Mapping[Scope, str]) -> list[_Limit]:
    """The limits that apply to a caller, at most one for each scope and period or unit.

    Args:
        limits: All that are configured.
        org_id: The caller's organisation.
        own: The caller's own ids by scope; scopes that it does not have are left out.
    """
    found: dict[Hashable, _Limit] = {}
    for limit in limits:
        subject = own.get(limit.scope)
        if subject is None or limit.subject not in (EVERY, subject) or limit.org_id not in (EVERY, org_id):
            continue
        place = (limit.scope, limit.period if isinstance(limit, BudgetLimit) else limit.unit)
        if place not in found or _exactness(found[place]) < _exactness(limit):
            found[place] = limit
    return list(found.values())


def _exactness(limit: BudgetLimit | RateLimit) -> tuple[bool, bool]:
    return limit.subject != EVERY, limit.org_id != EVERY
