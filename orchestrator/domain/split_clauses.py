"""Splits a message into the questions that it holds."""

from __future__ import annotations

import re

MOST_CLAUSES = 6
_ASKING = (
    r"(?:what|when|where|which|who|how|can\s+you|could\s+you|am\s+i|do\s+i|is\s+there|please|tell|show|give\s+me|run|"
    r"execute|calculate|compute|also)\b"
)
# A comma alone parts no questions: "If a shirt costs 40, what do I pay?" is one. Blanks are only looked at from their
# first one on, so that a text of nothing but blanks takes no longer than another.
_BREAK = re.compile(rf"(?<=[?!;])\s+|(?<=\.)\s+(?=[A-Z])|\n+|(?:,|(?<!\s))\s++and\s++(?={_ASKING})", re.IGNORECASE)


def split_clauses(text: str) -> list[str]:
    """Return the clauses in order, the whole text as one when it does not come apart or is long."""
    parts = [part.strip(" ,") for part in _BREAK.split(text)]
    clauses = [part for part in parts if any(character.isalnum() for character in part)]
    return clauses if 1 < len(clauses) <= MOST_CLAUSES else [text.strip()]
