"""Finds which day or days a question is about."""

from __future__ import annotations

import re
from datetime import date, timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
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
_WEEKDAY = re.compile(rf"\b({'|'.join(_DAYS)})s?\b", re.IGNORECASE)


def extract_day(text: str, today: date) -> str | None:
    """Return the day that is meant, or None when none is named.

    It is `today`, `tomorrow`, `yesterday`, a weekday, `this_week`, `next_week`, `this_weekend` or a date as YYYY-MM-DD.
    """
    iso = _ISO.search(text)
    if iso and _is_date(iso):
        return iso[0]
    for pattern, days in _SPANS:
        if pattern.search(text):
            return (today + timedelta(days=days)).isoformat()
    for pattern, word in _WORDS:
        if pattern.search(text):
            return word
    weekday = _WEEKDAY.search(text)
    return weekday[1].lower() if weekday else None


def _is_date(match: re.Match[str]) -> bool:
    try:
        date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return False
    return True
