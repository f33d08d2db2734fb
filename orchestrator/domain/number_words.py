"""Numbers in English words as digits: `twenty-one` is 21, `two hundred and five` is 205."""

from __future__ import annotations

import re
from decimal import Decimal

_UNDER_TEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_UNITS = {word: value for value, word in enumerate((*_UNDER_TEN, *_TEENS))}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_WORD = "|".join(sorted([*_UNITS, *_TENS, *_SCALES], key=len, reverse=True))
_NUMBER = re.compile(rf"\b(?:{_WORD})(?:(?:\s+and\s+|[\s-]+)(?:{_WORD}))*\b", re.IGNORECASE)
_SCALED = re.compile(r"(?<![\d.])(\d{1,12}(?:\.\d{1,6})?)\s+(hundred|thousand|million|billion)\b", re.IGNORECASE)
_PART = re.compile(r"[a-z]+", re.IGNORECASE)
_BEHIND_TENS = 10
_THOUSAND = 1000


def digits_for_words(text: str) -> str:
    """Return the text with digits in place of numbers in words; `and` joins only what follows a hundred or more."""
    return _NUMBER.sub(lambda match: _digits(match[0]), _SCALED.sub(_scaled, text))


def _scaled(match: re.Match[str]) -> str:
    """Return `1.5 million` in digits."""
    value = Decimal(match[1]) * _SCALES[match[2].lower()]
    return str(int(value)) if value == int(value) else f"{value:f}"


def _digits(phrase: str) -> str:
    """Return the numbers of one run of number words, with what stands between two of them kept."""
    reading = _Reading()
    for word in _PART.findall(phrase):
        reading.take(word.lower())
    reading.close()
    return reading.text


class _Reading:
    """Reads number words from left to right and begins a new number where a word cannot go on with the last."""

    def __init__(self) -> None:
        self.text = ""
        self._between = ""
        self._whole = 0
        self._part: int | None = None
        self._room = 0
        self._joined = False

    def take(self, word: str) -> None:
        """Read one more word."""
        if word == "and":
            self._joined = True
            return
        if word in _SCALES:
            self._scale(_SCALES[word])
        else:
            self._add(_UNITS[word] if word in _UNITS else _TENS[word])
        self._joined = False

    def _add(self, value: int) -> None:
        # `twenty` has room for 1 to 9, `hundred` for less than 100; `and` is for the latter alone.
        fits = 0 < value < self._room and not (self._joined and self._room == _BEHIND_TENS)
        if self._part is not None and not fits:
            self.close()
        self._part = (self._part or 0) + value
        self._room = _BEHIND_TENS if value in _TENS.values() else 0

    def _scale(self, scale: int) -> None:
        if self._joined:
            self.close()
        if scale < _THOUSAND:
            self._part = (self._part or 1) * scale
            self._room = scale
            return
        self._whole += (self._part or 1) * scale
        self._part = 0
        self._room = scale

    def close(self) -> None:
        """End the number that is being read."""
        if self._part is None:
            return
        self.text += self._between + str(self._whole + self._part)
        self._between = " and " if self._joined else " "
        self._whole, self._part, self._room, self._joined = 0, None, 0, False
