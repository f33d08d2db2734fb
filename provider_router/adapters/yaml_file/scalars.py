"""Single values of the configuration files: names, money, shares, times."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

_MICRO = 1_000_000
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")


class Strict(BaseModel):
    """A part of a file. Unknown fields are refused: a misspelt one must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def micro_units(most: int) -> Callable[[Any], int]:
    """Returns what turns a number from 0 to `most`, with at most 6 decimals, into millionths.

    YAML numbers with a point come as text, so that none is rounded (see `LocatedYaml`).
    """

    def converted(value: Any) -> int:
        try:
            number = Decimal(str(value)) if isinstance(value, int | str | Decimal) else Decimal("nan")
        except InvalidOperation:
            number = Decimal("nan")
        if isinstance(value, bool) or not number.is_finite():
            raise ValueError("must be a number such as 0.15")
        if not 0 <= number <= most:
            raise ValueError(f"must be from 0 to {most}")
        micro = number * _MICRO
        if micro != int(micro):
            raise ValueError("must have at most 6 decimals")
        return int(micro)

    return converted


def _day(value: Any) -> date:
    """Returns the date in `value`: YAML makes one of 2026-01-31, and leaves "2026-01-31" a text."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.strptime(value, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no time zone
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a day such as 2026-01-31")  # noqa: TRY004 - pydantic wants this one
    return value


def _minute(value: Any) -> Any:
    # YAML 1.1 takes 18:00 without quotes for 1080, which is just what it means here.
    if isinstance(value, str):
        match = _CLOCK_TIME.fullmatch(value)
        if match is None:
            raise ValueError("must be a time of day such as 08:30, or 24:00")
        return int(match[1]) * 60 + int(match[2])
    return value


def _trait(value: Any) -> Any:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be true or false, a whole number, or a text")  # noqa: TRY004 - pydantic wants this one
    return value


ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,126}$")]
MicroUsd = Annotated[int, BeforeValidator(micro_units(100_000))]
"""US dollars in the file (of a call, or per million tokens), millionths of a dollar afterwards."""
Ppm = Annotated[int, BeforeValidator(micro_units(1))]
"""A share from 0 to 1 in the file, millionths afterwards."""
Day = Annotated[date, BeforeValidator(_day)]
"""A day of UTC."""
MinuteOfDay = Annotated[int, BeforeValidator(_minute)]
"""`HH:MM` in the file, minutes since midnight afterwards."""
TraitForm = Annotated[Any, BeforeValidator(_trait)]
"""A truth value, a whole number or a text."""
