"""The window of time that a question means: "tomorrow", "this week", from one moment to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tool_executor.domain.tool_call import invalid_arguments

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MAX_DAYS = 366
_DEFAULT_DAYS = 7
_SINGLE_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_SPANS = {"this_week": (0, 7), "next_week": (7, 7), "this_weekend": (5, 2)}
DAYS = (*_SINGLE_DAYS, *WEEKDAYS, *_SPANS)
"""Words for days, as `window_of_day` takes them."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of time with a name.

    Args:
        start: aware, in the caller's zone.
        end: aware, in the caller's zone, exclusive.
        label: what people call it, for example `tomorrow, Saturday 21 November 2026`.
        one_day: whether it is exactly one day.
    """

    start: datetime
    end: datetime
    label: str
    one_day: bool


def day_name(day: date) -> str:
    """Return `day` as `Saturday 21 November 2026`."""
    return f"{WEEKDAYS[day.weekday()].capitalize()} {day.day} {MONTHS[day.month - 1]} {day.year}"


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the start of `day` in `zone`."""
    return datetime.combine(day, time(), zone)


def window_of_day(day: str, now: datetime, zone: ZoneInfo) -> Window:
    """Return the window that `day` means, seen from `now` in `zone`.

    Args:
        day: one of `DAYS` (a weekday is the next one, today included; a week goes from Monday to Sunday), or a date
            as YYYY-MM-DD.
        now: aware.
        zone: the caller's zone.

    Raises:
        ToolFailure: with status INVALID_ARGUMENTS when `day` is none of these.
    """
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    if day in _SINGLE_DAYS:
        return _one_day(today + timedelta(days=_SINGLE_DAYS[day]), zone, f"{day}, ")
    if day in WEEKDAYS:
        return _one_day(today + timedelta(days=(WEEKDAYS.index(day) - today.weekday()) % 7), zone, "")
    if day in _SPANS:
        first, count = _SPANS[day]
        return _days(monday + timedelta(days=first), count, zone, f"{day.replace('_', ' ')}, ")
    try:
        return _one_day(date.fromisoformat(day), zone, "")
    except (ValueError, OverflowError):
        known = ", ".join(DAYS)
        raise invalid_arguments(
            "DAY_UNKNOWN", f"day: {day[:40]!r} is not known. Use one of {known}, or a date as YYYY-MM-DD."
        ) from None


def window_between(start: str, end: str, now: datetime, zone: ZoneInfo) -> Window:
    """Return the window from `start` to `end`, ISO 8601 dates or times; times without an offset are meant in `zone`.

    Empty for left out: it begins now then, and ends with the day of its start; without both it takes 7 days. A date as
    end is included.

    Raises:
        ToolFailure: with status INVALID_ARGUMENTS when one cannot be read, or the window is empty or too long.
    """
    try:
        begins = _moment("start", start, zone, whole_day=False) if start else now.astimezone(zone)
        if end:
            ends = _moment("end", end, zone, whole_day=True)
        else:
            ends = midnight(begins.date() + timedelta(days=1 if start else _DEFAULT_DAYS), zone)
    except OverflowError:
        raise invalid_arguments("WINDOW_INVALID", "The window lies outside the years 1 to 9999.") from None
    if ends <= begins:
        raise invalid_arguments("WINDOW_INVALID", "end: must be later than start.")
    if ends - begins > timedelta(days=MAX_DAYS):
        raise invalid_arguments("WINDOW_INVALID", f"end: must be at most {MAX_DAYS} days after start.")
    last = (ends - timedelta(microseconds=1)).date()
    single = last == begins.date()
    label = day_name(last) if single else f"{day_name(begins.date())} to {day_name(last)}"
    return Window(begins, ends, label, single)


def _one_day(day: date, zone: ZoneInfo, prefix: str) -> Window:
    return Window(
        midnight(day, zone), midnight(day + timedelta(days=1), zone), f"{prefix}{day_name(day)}", one_day=True
    )


def _days(first: date, count: int, zone: ZoneInfo, prefix: str) -> Window:
    last = first + timedelta(days=count - 1)
    return Window(
        midnight(first, zone),
        midnight(first + timedelta(days=count), zone),
        f"{prefix}{day_name(first)} to {day_name(last)}",
        one_day=False,
    )


def _moment(field: str, text: str, zone: ZoneInfo, *, whole_day: bool) -> datetime:
    clean = text.strip()
    try:
        if len(clean) <= len("YYYY-MM-DD"):
            day = date.fromisoformat(clean)
            return midnight(day + timedelta(days=1) if whole_day else day, zone)
        moment = datetime.fromisoformat(clean)
    except ValueError:
        raise invalid_arguments(
            "TIME_MALFORMED",
            f"{field}: {text[:40]!r} is no ISO 8601 date or time. Write 2026-11-21 or 2026-11-21T09:30.",
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
