"""Makes text from models, tools and files safe to show on a terminal."""

from __future__ import annotations

import json
import re

# C0 and C1 controls but for tab and line feed, and the marks that reorder what is read: a terminal would obey them.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REPLACEMENT = "\ufffd"


def printable(text: str) -> str:
    """Return `text` with every character that a terminal would obey instead of showing replaced."""
    return _UNSAFE.sub(_REPLACEMENT, text.replace("\r\n", "\n"))


def one_line(text: str, width: int) -> str:
    """Return `text` on one line of at most `width` characters, with an ellipsis when it was cut."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "\u2026"


def json_line(value: object) -> str:
    """Return `value` as JSON on one line, in which such characters stand as escapes: programs read the same text."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
