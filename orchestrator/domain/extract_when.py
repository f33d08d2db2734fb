"""Finds which day or days a question is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

from orchestrator.domain.number_words import digits_for_words

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in _MONTHS) + "|sept"
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DAY_MONTH = re.compile(
    rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?(?P<month>{_MONTH})\b\.?(?:,?\s+(?P<year>\d{{4}}))?",
    re.IGNORECASE,
)
_MONTH_DAY = re.compile(
    rf"\b(?P<month>{_MONTH})\b\.?\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<year>\d{{4}}))?",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\bthe\s+(\d{1,2})(?:st|nd|rd|th)\b", re.IGNORECASE)
_IN_DAYS = re.compile(r"\bin\s+(?:an?\s+)?(\d{1,3}\s+)?(day|week)s?\b(?!\w)", re.IGNORECASE)
_COMING = re.compile(r"\b(?:next|coming|following)\s+(\d{1,3})\s+(day|week)s\b", re.IGNORECASE)
_MONTH_SPAN = re.compile(r"\b(?P<which>this|next|last)\s+month\b", re.IGNORECASE)
_LAST_WEEK = re.compile(r"\blast\s+week\b", re.IGNORECASE)
_SPANS = (
    (re.compile(r"\bday\s+after\s+tomorrow\b", re.IGNORECASE), 2),
    (re.compile(r"\bday\s+before\s+yesterday\b", re.IGNORECASE), -2),
)
_WORDS = (
    (re.compile(r"\bnext\s+week\b", re.IGNORECASE), "next_week"),
    (re.compile(r"\bweekend\b", re.IGNORECASE), "this_weekend"),
    (re.compile(r"\b(?:this|my|the|current)\s+week\b", re.IGNORECASE), "this_week"),
    (re.compile(r"\btomorrow\b", re.IGNORECASE), "tomorrow"),
    (re.compile(r"\byesterday\b", re.IGNORECASE), "yesterday"),
    (re.compile(r"\b(?:today|tonight|this\s+(?:morning|afternoon|evening))\b", re.IGNORECASE), "today"),
)
_WEEKDAY = re.compile(rf"\b(?P<which>next\s+|last\s+)?(?P<day>{'|'.join(_DAYS)})s?\b", re.IGNORECASE)
MOST_CHARS = 2000
DAYS_A_WEEK = 7

When = dict[str, str]
"""Either `day` (today, tomorrow, yesterday, a weekday, this_week, next_week, this_weekend or a date as YYYY-MM-DD), or
`start` and `end` as dates, the end included; empty when no day is named."""


def extract_when(text: str, today: date) -> When:
    """Return the day or days that are meant. A date without a year is the next one to come."""
    text = digits_for_words(text[:MOST_CHARS])
    finders: tuple[Callable[[str, date], When | None], ...] = (_dated, _counted, _spanned, _worded)
    return next((found for find in finders if (found := find(text, today)) is not None), When())


def _dated(text: str, today: date) -> When | None:
    iso = _ISO.search(text)
    if iso and _date(int(iso[1]), int(iso[2]), int(iso[3])):
        return {"day": iso[0]}
    match = _DAY_MONTH.search(text) or _MONTH_DAY.search(text)
    if match:
        month = next(place for place, name in enumerate(_MONTHS, 1) if name.startswith(match["month"][:3].lower()))
        years = [int(match["year"])] if match["year"] else [today.year, today.year + 1]
        return _first([_date(year, month, int(match["day"])) for year in years], None if match["year"] else today)
    ordinal = _ORDINAL.search(text)
    if ordinal is None:
        return None
    after = _month_after(today)
    day = int(ordinal[1])
    return _first([_date(today.year, today.month, day), _date(after.year, after.month, day)], today)


def _first(days: list[date | None], earliest: date | None) -> When | None:
    found = next((day for day in days if day is not None and (earliest is None or day >= earliest)), None)
    return {"day": found.isoformat()} if found else None


def _counted(text: str, today: date) -> When | None:
    coming = _COMING.search(text)
    if coming:
        return _span(today, today + timedelta(days=_days(coming[1], coming[2]) - 1))
    match = _IN_DAYS.search(text)
    if match is None:
        return None
    return {"day": (today + timedelta(days=_days(match[1] or "1", match[2]))).isoformat()}


def _days(count: str, unit: str) -> int:
    return int(count) * (DAYS_A_WEEK if unit.lower() == "week" else 1)


def _spanned(text: str, today: date) -> When | None:
    month = _MONTH_SPAN.search(text)
    if month:
        first = today.replace(day=1)
        which = month["which"].lower()
        start = {"this": today, "next": _month_after(first), "last": (first - timedelta(days=1)).replace(day=1)}[which]
        return _span(start, _month_after(start) - timedelta(days=1))
    if _LAST_WEEK.search(text):
        monday = today - timedelta(days=today.weekday() + DAYS_A_WEEK)
        return _span(monday, monday + timedelta(days=DAYS_A_WEEK - 1))
    return None


def _worded(text: str, today: date) -> When | None:
    for pattern, days in _SPANS:
        if pattern.search(text):
            return {"day": (today + timedelta(days=days)).isoformat()}
    for pattern, word in _WORDS:
        if pattern.search(text):
            return {"day": word}
    match = _WEEKDAY.search(text)
    if match is None:
        return None
    which, day = (match["which"] or "").strip().lower(), match["day"].lower()
    ahead = (_DAYS.index(day) - today.weekday()) % DAYS_A_WEEK
    if which == "last":
        return {"day": (today - timedelta(days=DAYS_A_WEEK - ahead)).isoformat()}
    if which == "next" and ahead == 0:
        return {"day": (today + timedelta(days=DAYS_A_WEEK)).isoformat()}
    return {"day": day}


def _span(start: date, end: date) -> When:
    return {"start": start.isoformat(), "end": end.isoformat()}


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
