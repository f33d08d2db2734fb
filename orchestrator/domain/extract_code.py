"""Finds the program in a question that shall be run."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from orchestrator.domain.fenced_code import FencedBlock, fenced_blocks

_INLINE = re.compile(r"`([^`\n]+)`")
_PYTHON = frozenset({"", "python", "python3", "py"})
_SHELLS = frozenset({"bash", "sh", "shell"})
_INTENT = re.compile(
    r"\b(run|runs|execute|executes|evaluate|try\s+out|output|outputs|print|prints|result\s+of|what\s+does)\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(?:do\s+not|don['\u2019]?t|never|without)\s+(?:run|execut)"
    r"|\b(explain|review|refactor|translate|document|rewrite)\b",
    re.IGNORECASE,
)
_CALL = re.compile(r"[\w.]\(")
_STATEMENT = re.compile(r"=|\bfor\b|\bimport\b")
# Code that stands in the sentence without any mark: it must print or import something, and be Python as a whole.
_BARE = re.compile(
    r"\s*(?:(?:please\s+|(?:can|could|would)\s+you\s+(?:please\s+)?)?(?:run|execute)\s+"
    r"(?:(?:this|the\s+following|my)\b\s*)?(?:(?:python3?|py)\b\s*)?(?:(?:code|program|script|snippet|line)\b\s*)?"
    r":?\s*)?(?P<code>.*)",
    re.IGNORECASE | re.DOTALL,
)
_PRINTS = re.compile(r"\bprint\s*\(|\bimport\s[\w., ]+[;\n]")
MOST_BARE_CHARS = 4000


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A program in the text: its source, and whether the words around it ask for it to be run."""

    code: str
    wanted: bool


def extract_code(text: str) -> FoundCode | None:
    """Return the Python program in the text: its fenced blocks joined, or a piece between backticks or after `run`.

    A block without words around it is meant to be run: there is nothing else to do with it.
    """
    text = _with_plain_line_ends(text)
    blocks = fenced_blocks(text)
    if blocks:
        code = "\n".join(block.code for block in blocks if block.language in _PYTHON)
        around = _around(text, blocks)
        if not code.strip():
            return None
        return FoundCode(code.strip("\n"), not around.strip() or _asks_to_run(around))
    piece = _INLINE.search(text)
    if piece and _is_code(piece[1]):
        around = _INLINE.sub(" ", text)
        return FoundCode(piece[1].strip(), not around.strip() or _asks_to_run(around))
    bare = _BARE.fullmatch(text) if len(text) <= MOST_BARE_CHARS else None
    if bare and _PRINTS.search(bare["code"]) and _is_python(bare["code"].strip()):
        return FoundCode(bare["code"].strip(), wanted=True)
    return None


def extract_shell(text: str) -> FoundCode | None:
    """Return the command lines in the text's fenced blocks, or None when it has none or blocks of something else."""
    text = _with_plain_line_ends(text)
    blocks = fenced_blocks(text)
    code = "\n".join(block.code for block in blocks)
    if not code.strip() or any(block.language not in _SHELLS for block in blocks):
        return None
    around = _around(text, blocks)
    return FoundCode(code.strip("\n"), not around.strip() or _asks_to_run(around))


def other_language_wanted(text: str) -> str:
    """Return the language of a block that shall be run and is no Python; empty when there is none."""
    text = _with_plain_line_ends(text)
    blocks = fenced_blocks(text)
    others = [block.language for block in blocks if block.language not in _PYTHON]
    return others[0] if len(others) == len(blocks) > 0 and _asks_to_run(_around(text, blocks)) else ""


def forbids_running(text: str) -> bool:
    """Return whether the words around the code ask for something else than running it."""
    return _AGAINST.search(without_code(text)) is not None


def without_code(text: str) -> str:
    """Return the words around the code."""
    text = _with_plain_line_ends(text)
    return _INLINE.sub(" ", _around(text, fenced_blocks(text)))


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _around(text: str, blocks: list[FencedBlock]) -> str:
    parts: list[str] = []
    at = 0
    for block in blocks:
        parts.append(text[at : block.start])
        at = block.end
    return " ".join([*parts, text[at:]])


def _asks_to_run(around: str) -> bool:
    return _INTENT.search(around) is not None and _AGAINST.search(around) is None


def _is_code(piece: str) -> bool:
    """Return whether one line reads as code: it calls, assigns, loops or imports."""
    call = _CALL.search(piece)
    return (call is not None and ")" in piece[call.end() :]) or _STATEMENT.search(piece) is not None


def _is_python(code: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
