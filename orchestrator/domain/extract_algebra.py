"""Finds algebra and calculus that is asked for by a verb: `solve 3x + 5 = 20`, `the derivative of x^2`."""

from __future__ import annotations

import re

_ASKED = re.compile(
    r"\b(?:(?:solve|simplify|expand|factor|factorise|factorize|differentiate|integrate)\s+"
    r"|(?:the\s+)?(?:derivative|integral)\s+of\s+)(?P<formula>[^?!]+)",
    re.IGNORECASE,
)
_FORMULA = re.compile(
    r"\d|\b[a-z]\b\s*[-+*/^=)]|[-+*/^=(]\s*\b[a-z]\b|\b(?:sin|cos|tan|exp|log|ln|sqrt)\s*\(", re.IGNORECASE
)
_WORDS = re.compile(r"[a-z]{2,}", re.IGNORECASE)
_KNOWN_WORDS = frozenset(
    {"for", "from", "to", "with", "respect", "and", "sin", "cos", "tan", "exp", "log", "ln", "sqrt", "pi", "times"}
    | {"plus", "minus", "squared", "cubed", "over", "equals", "dx", "dy", "please", "the", "in", "of", "ab", "xy"}
)


def extract_algebra(text: str) -> str | None:
    """Return the verb with its formula, or None; words that no formula has make it none."""
    match = _ASKED.search(text)
    if match is None or _FORMULA.search(match["formula"]) is None:
        return None
    words = {word.lower() for word in _WORDS.findall(match["formula"])}
    if words - _KNOWN_WORDS:
        return None
    return match[0].strip(" .,")
