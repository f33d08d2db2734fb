"""Amounts of money as people read them, and times as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from shared.errors import InvalidInput

_MICRO = 1_000_000
_AGO = re.compile(r"(\d{1,6})([dhm])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def dollars(micro_usd: int) -> str:
    """Return an amount in US dollars, exact and with at least two decimals: `$12.50`, `$0.000125`, `-$0.01`."""
    whole, rest = divmod(abs(micro_usd), _MICRO)
    sign = "-" if micro_usd < 0 else ""
    return f"{sign}${whole:,}.{f'{rest:06d}'.rstrip('0').ljust(2, '0')}"


def per_million(micro_usd: int) -> str:
    """Return a rate in US dollars per million tokens, exact and with at least two decimals: `2.50`, `0.0625`."""
    return dollars(micro_usd).removeprefix("$").replace(",", "")


def cost_in_all(micro_usd: int, known: int, unknown: int) -> str:
    """Return the cost of attempts of which `known` have one that is known: `$1.20`, `unknown`, `$1.20 + 2 unknown`."""
    if not unknown:
        return dollars(micro_usd)
    return f"{dollars(micro_usd)} + {unknown} unknown" if known else "unknown"


def age(length: timedelta) -> str:
    """Return how old something is, to the unit that matters: `12 s`, `5 min`, `3 h`, `2 d`."""
    seconds = int(length.total_seconds())
    for unit, size, most in (("s", 1, 2 * 60), ("min", 60, 2 * 3600), ("h", 3600, 2 * 86_400)):
        if seconds < most:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} d"


def point_in_time(text: str, now: datetime) -> datetime:
    """Return the time that `text` names: `7d`, `24h` or `30m` ago, a day, or a time in ISO 8601; UTC unless it says.

    Raises:
        InvalidInput: TIME_UNKNOWN.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - int(ago[1]) * _UNITS[ago[2]]
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            "TIME_UNKNOWN", f"{text!r} is no time. Use 7d, 24h, 2026-11-01 or 2026-11-01T08:30:00Z."
        ) from error
