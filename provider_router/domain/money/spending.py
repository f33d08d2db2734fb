"""What counts against which budget, when, and when it is too much. Days are whole days since 1970, UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.budget import BudgetLimit, BudgetStatus, Period, Scope
from shared.errors import NexusError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY = timedelta(days=1)
_PPM = 1_000_000


def day_of(time: datetime) -> int:
    """The day of `time`. What is reserved on a day is settled on that day, however long it takes."""
    return (time - _EPOCH) // _ONE_DAY


@lru_cache(maxsize=16)
def first_day(period: Period, day: int) -> int:
    """The first day of the period that holds `day`."""
    if period is Period.DAY:
        return day
    return day - (_EPOCH + day * _ONE_DAY).day + 1


@lru_cache(maxsize=16)
def reset_time(period: Period, day: int) -> datetime:
    """When the period that holds `day` is over."""
    if period is Period.DAY:
        return _EPOCH + (day + 1) * _ONE_DAY
    first = _EPOCH + first_day(Period.MONTH, day) * _ONE_DAY
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def payers(caller: Caller, conversation_id: str) -> Sequence[tuple[Scope, str]]:
    """Who pays for a call: each scope that it has, with the id there. They are the same for each try of a call."""
    named = (
        (Scope.ORGANISATION, caller.org_id),
        (Scope.KEY, caller.key_id),
        (Scope.USER, caller.user_id),
        (Scope.CONVERSATION, conversation_id),
    )
    return [(scope, subject) for scope, subject in named if subject]


def status_of(limit: BudgetLimit, spent_micro_usd: int, reserved_micro_usd: int, day: int) -> BudgetStatus:
    """The status on `day` of a limit whose subject is one id."""
    return BudgetStatus(
        limit.scope,
        limit.subject,
        limit.period,
        limit.limit_micro_usd,
        spent_micro_usd,
        reserved_micro_usd,
        reset_time(limit.period, day),
    )


def tightest_first(statuses: Iterable[BudgetStatus]) -> Sequence[BudgetStatus]:
    """The statuses, those with the least left first."""
    return sorted(statuses, key=lambda each: (each.left_micro_usd, each.reset_time, each.scope, each.subject))


def refusal(
    statuses: Iterable[BudgetStatus],
    needed_micro_usd: int,
    now: datetime,
    metadata: Mapping[str, str] | None = None,
    *,
    also: str = "",
) -> NexusError | None:
    """Why `needed_micro_usd` cannot be reserved in all of the budgets; None when it can.

    A budget may be used up to the last millionth. What costs nothing is never refused: a budget limits money, and a
    model that is free goes on working when the money is spent.

    Of several budgets that are short, the one that starts anew last is named, since nothing works before.

    Args:
        statuses: The budgets.
        needed_micro_usd: What would have to be reserved.
        now: The time.
        metadata: Further facts.
        also: Further sentences, after a space.
    """
    if needed_micro_usd <= 0:
        return None
    short = [each for each in statuses if _room(each) < needed_micro_usd]
    if not short:
        return None
    last = max(short, key=lambda each: (each.reset_time, -_room(each)))
    return _exhausted(last, needed_micro_usd, now, metadata or {}, also)


def _exhausted(
    status: BudgetStatus, needed_micro_usd: int, now: datetime, metadata: Mapping[str, str], also: str
) -> NexusError:
    """The refusal of a call that may cost `needed_micro_usd`, more than the budget has left."""
    short = needed_micro_usd - _room(status)
    until = status.reset_time.strftime("%Y-%m-%dT%H:%M:%SZ")
    held = ", some of it held by calls that are being made" if status.reserved_micro_usd else ""
    return failure(
        Reason.BUDGET_EXHAUSTED,
        f"The {status.scope} budget of the {status.period} has {_usd(status.left_micro_usd)} left{held}, and the call "
        f"may cost {_usd(needed_micro_usd)}. It starts anew at {until}. Limit the answer's length, choose a cheaper "
        f"model, or ask for a larger budget.{also}",
        metadata={
            "scope": status.scope.value,
            "subject": status.subject,
            "period": status.period.value,
            "limit_micro_usd": str(status.limit_micro_usd),
            "spent_micro_usd": str(status.spent_micro_usd),
            "reserved_micro_usd": str(status.reserved_micro_usd),
            "needed_micro_usd": str(needed_micro_usd),
            "short_micro_usd": str(short),
            "reset_time": until,
            **metadata,
        },
        retry_after_s=max(0.0, (status.reset_time - now).total_seconds()),
    )


def _room(status: BudgetStatus) -> int:
    """What may still be reserved; negative when more was spent than allowed."""
    return status.limit_micro_usd - status.spent_micro_usd - status.reserved_micro_usd


def _usd(micro_usd: int) -> str:
    """An amount as people read it, exact: `0.000125 USD`, `12.50 USD`."""
    whole, rest = divmod(micro_usd, _PPM)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{decimals} USD"
