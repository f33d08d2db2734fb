"""Reads an expression as people and models write it and gives it in plain Python notation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tool_executor.domain.calculation import CalculationError
from tool_executor.domain.expression_tokens import Kind, Token, tokens_of

MAX_CHARS = 2_000
# Signs that look alike are named by their code points: multiplication, division, minus, dashes, spaces, quotes.
_SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("\u00d7\u2715\u22c5\u00b7\u2219", "*"),
        **dict.fromkeys("\u00f7\u2044\u2215", "/"),
        **dict.fromkeys("\u2212\u2013\u2014", "-"),
        **dict.fromkeys("$€£`\u201c\u201d\u00a0\u202f\u2009", " "),
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "²": "**2",
        "³": "**3",
        "π": " pi ",
        "∞": " oo ",
        "{": "(",
        "}": ")",
    }
)
_LEAD = re.compile(
    r"^(?:please\s+|can\s+you\s+)*"
    r"(?:what\s+is|what's|whats|how\s+much\s+is|calculate|compute|evaluate|work\s+out|find)\s+"
    r"(?:the\s+(?:value|result)\s+of\s+)?",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"^(?:the\s+)?(?P<verb>solve|simplify|expand|factor|factorise|factorize|differentiate|integrate|derivative\s+of|"
    r"integral\s+of)\s+(?P<rest>.+)$",
    re.IGNORECASE,
)
_VERBS = {"factorise": "factor", "factorize": "factor", "differentiate": "diff", "derivative of": "diff",
          "integral of": "integrate"}  # fmt: skip
_BOUNDS = re.compile(r"^(?P<body>.+?)\s+from\s+(?P<low>.+?)\s+to\s+(?P<high>.+)$", re.IGNORECASE)
_FOR = re.compile(r"\s+(?:for|with\s+respect\s+to|wrt|in\s+terms\s+of)\s+(?P<name>[A-Za-z]\w{0,19})$", re.IGNORECASE)
_WORDS = (
    (r"(?:to|raised\s+to)\s+the\s+power\s+(?:of\s+)?", "**"),
    (r"(?:multiplied\s+by|times)\b", "*"),
    (r"divided\s+by\b", "/"),
    (r"plus\b", "+"),
    (r"minus\b", "-"),
    (r"squared\b", "**2"),
    (r"cubed\b", "**3"),
    (r"(?:modulo|mod)\b(?!\s*\()", " % "),
    (r"(?:the\s+)?square\s+root\s+of\b", "√"),
    (r"(?:the\s+)?cube\s+root\s+of\b", "∛"),
    (r"(?:the\s+)?factorial\s+of\b", "‼"),
    (r"(?<=\d)\s+factorial\b", "!"),
    (r"per\s?cent\b", "%"),
    (r"degrees?\b", "°"),
    (r"equals?\b(?:\s+to\b)?", "="),
)
_WORD_OPERATORS = tuple((re.compile(rf"(?<![A-Za-z_]){pattern}", re.IGNORECASE), sign) for pattern, sign in _WORDS)
_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=\d)")


@dataclass(frozen=True, slots=True)
class Question:
    """An expression to evaluate.

    Args:
        expression: as it was asked, without the words around it.
        python: the same in Python's notation, ASCII, on one line.
        variable: the unknown that the words named; None when they named none.
    """

    expression: str
    python: str
    variable: str | None


def read_question(text: str) -> Question:
    """Return the question in `text`. Pure, and bounded: nothing is computed here.

    Raises:
        CalculationError: EXPRESSION_INVALID or CALCULATION_TOO_LARGE.
    """
    if len(text) > MAX_CHARS:
        raise CalculationError("CALCULATION_TOO_LARGE", f"The expression is longer than {MAX_CHARS} characters.")
    asked = _LEAD.sub("", " ".join(text.split())).strip().rstrip("?.;= ").strip()
    if not asked:
        raise CalculationError("EXPRESSION_INVALID", "There is no expression. Give one, such as 23*17 + sqrt(144).")
    formula, verb, variable = _without_words(asked)
    for pattern, sign in _WORD_OPERATORS:
        formula = pattern.sub(sign, formula)
    formula = _TIMES.sub("*", formula.translate(_SYMBOLS))
    bounds = _BOUNDS.match(formula) if verb == "integrate" else None
    if bounds:
        parts = [_plain(bounds[name]) for name in ("body", "low", "high")]
        return Question(asked, f"integrate({', '.join(parts)})", variable)
    plain = _plain(formula)
    return Question(asked, f"{verb}({plain})" if verb else plain, variable)


def _without_words(asked: str) -> tuple[str, str | None, str | None]:
    """Return the formula in `asked`, the function that a leading verb means, and the variable at the end."""
    match = _ASKED.match(asked)
    if match is None or _is_one_group(match["rest"]):
        return asked, None, None
    verb = " ".join(match["verb"].lower().split())
    rest, variable = match["rest"], None
    named = _FOR.search(rest)
    if named:
        rest, variable = rest[: named.start()], named["name"]
    return rest, _VERBS.get(verb, verb), variable


def _is_one_group(text: str) -> bool:
    """Return whether one pair of brackets holds all of `text`, which makes a verb before it a plain call."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return index > 0 and index == len(text) - 1
    return False


def _plain(formula: str) -> str:
    written = ""
    tokens = tokens_of(formula)
    for index, token in enumerate(tokens):
        written += _spaced(token, tokens[index - 1] if index else None)
    return written


def _spaced(token: Token, before: Token | None) -> str:
    text = {"^": "**", "=": "=="}.get(token.text, token.text)
    if token.text == ",":
        return ", "
    binary = before is not None and (before.kind is not Kind.OPERATOR or before.text in {")", "]"})
    if text in {"+", "-", "==", "!=", "<", ">", "<=", ">=", "%"} and binary:
        return f" {text} "
    return text
