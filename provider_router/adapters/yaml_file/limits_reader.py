"""Turns `limits.yaml` into limits, or says where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from provider_router.adapters.yaml_file.limits_schema import BudgetForm, LimitsFile, RateLimitForm
from provider_router.adapters.yaml_file.source_file import SourceFile
from provider_router.adapters.yaml_file.validated import validated
from provider_router.domain.money.budget import BudgetLimit, Period, Scope
from provider_router.domain.money.limits import Limits, RateLimit
from provider_router.domain.money.rate import Unit

NAME = "limits.yaml"


def read_limits(files: Mapping[str, SourceFile]) -> Limits:
    """Reads the file; no file is no limit.

    Raises:
        RefusedFileError: With the line, the path and the reason.
    """
    source = files.get(NAME)
    if source is None:
        return Limits()
    file = validated(source, LimitsFile)
    budgets = [_budget(form) for form in file.budgets]
    rates = [list(_rates(form)) for form in file.rate_limits]
    _check_once(source, "budgets", [[(b.scope, b.subject, b.org_id, b.period)] for b in budgets])
    _check_once(source, "rate_limits", [[(r.scope, r.subject, r.org_id, r.unit) for r in found] for found in rates])
    return Limits(tuple(budgets), tuple(rate for found in rates for rate in found))


def _budget(form: BudgetForm) -> BudgetLimit:
    return BudgetLimit(Scope(form.scope), form.subject, Period(form.period), form.usd, form.organisation)


def _rates(form: RateLimitForm) -> Iterator[RateLimit]:
    for unit, per_minute in ((Unit.REQUESTS, form.requests_per_minute), (Unit.TOKENS, form.tokens_per_minute)):
        if per_minute is not None:
            yield RateLimit(Scope(form.scope), form.subject, unit, per_minute, form.organisation)


def _check_once(source: SourceFile, section: str, places: Sequence[Sequence[tuple[str, ...]]]) -> None:
    """Refuse two limits of which nobody could say which one applies."""
    seen: dict[tuple[str, ...], int] = {}
    for index, found in enumerate(places):
        for place in found:
            first = seen.setdefault(place, index)
            if first != index:
                with source.blamed():
                    raise source.located.wrong((section, index), f"limits the same as {section}[{first}]")
