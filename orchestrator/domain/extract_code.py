"""Finds the program in a question that shall be run."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)\n?^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_ONE_LINE_FENCE = re.compile(r"```(?:(python3?|py)[ \t]+)?([^`\n]+?)```")
_INLINE = re.compile(r"`([^`\n]+)`")
_PYTHON = frozenset({"", "python", "python3", "py"})
_INTENT = re.compile(
    r"\b(run|runs|execute|executes|evaluate|try\s+out|output|outputs|print|prints|result\s+of|what\s+does)\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(?:do\s+not|don['\u2019]?t|without)\s+(?:run|execut)|\b(explain|review|refactor|translate|document|rewrite)\b",
    re.IGNORECASE,
)
_INLINE_CODE = re.compile(r"[\w.]+\(.*\)|=|\bfor\b|\bimport\b")


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A program in the text: its source, and whether the words around it ask for it to be run."""

    code: str
    wanted: bool


def extract_code(text: str) -> FoundCode | None:
    """Return the Python program in the text: its fenced blocks joined, or a piece between backticks after `run`.

    A block without words around it is meant to be run: there is nothing else to do with it.
    """
    blocks = [match for match in _FENCE.finditer(text) if match[2].lower() in _PYTHON]
    if blocks:
        return _found("\n".join(match[3] for match in blocks), _FENCE.sub(" ", text))
    single = _ONE_LINE_FENCE.search(text)
    if single:
        return _found(single[2].strip(), _ONE_LINE_FENCE.sub(" ", text))
    piece = _INLINE.search(text)
    if piece and _INLINE_CODE.search(piece[1]):
        around = _INLINE.sub(" ", text)
        return FoundCode(piece[1].strip(), _asks_to_run(around))
    return None


def without_code(text: str) -> str:
    """Return the words around the code."""
    return _INLINE.sub(" ", _ONE_LINE_FENCE.sub(" ", _FENCE.sub(" ", text)))


def _found(code: str, around: str) -> FoundCode | None:
    if not code.strip():
        return None
    return FoundCode(code.strip("\n"), not around.strip() or _asks_to_run(around))


def _asks_to_run(around: str) -> bool:
    return _INTENT.search(around) is not None and _AGAINST.search(around) is None
