"""The form of `limits.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from provider_router.adapters.yaml_file.scalars import Strict, micro_units

Subject = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Amount = Annotated[int, BeforeValidator(micro_units(1_000_000_000))]
"""US dollars in the file, millionths afterwards."""
PerMinute = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]


class BudgetForm(Strict):
    """A budget."""

    scope: Literal["organisation", "key", "user", "conversation"]
    subject: Subject = "*"
    organisation: Subject = "*"
    period: Literal["day", "month"]
    usd: Amount

    @model_validator(mode="after")
    def _names_what_can_be_named(self) -> Self:
        _check_organisation(self.scope, self.organisation)
        if self.scope == "conversation" and self.subject != "*":
            raise ValueError("a budget of conversations is for each one of its own")
        return self


class RateLimitForm(Strict):
    """Limits on requests, on tokens, or on both."""

    scope: Literal["organisation", "key", "user"]
    subject: Subject = "*"
    organisation: Subject = "*"
    requests_per_minute: PerMinute | None = None
    tokens_per_minute: PerMinute | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        _check_organisation(self.scope, self.organisation)
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise ValueError("needs requests_per_minute or tokens_per_minute")
        return self


class LimitsFile(Strict):
    """The whole file."""

    version: Literal[1]
    budgets: tuple[BudgetForm, ...] = Field(default=(), max_length=10_000)
    rate_limits: tuple[RateLimitForm, ...] = Field(default=(), max_length=10_000)


def _check_organisation(scope: str, organisation: str) -> None:
    if scope == "organisation" and organisation != "*":
        raise ValueError("a limit of an organisation names it as its `subject`")
