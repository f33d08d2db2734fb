"""Finds the arithmetic in a question: `What is 23*17 + sqrt(144)?` holds `23*17 + sqrt(144)`.

Words for operations become signs, then the longest part that a small grammar accepts is taken:

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/" | "mod" | "% of") signed)*
    signed  = "-" signed | power
    power   = postfix ("^" signed)?
    postfix = primary ("!" | "%")*
    primary = number | constant | function "(" sum ")" | function postfix | "(" sum ")"

Nothing is computed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.domain.number_words import digits_for_words
from orchestrator.domain.worded_arithmetic import signs_for_words

MOST_CHARS = 2000
MOST_TOKENS = 400
MOST_DEPTH = 40

_SIGNS = str.maketrans(
    {
        "\u00d7": "*",
        "\u00f7": "/",
        "\u00b7": "*",
        "\u2212": "-",
        "\u2013": "-",
        "²": "^2",
        "³": "^3",
        "π": " pi ",
        "√": " sqrt ",
    }
)
# Dates, times, telephone numbers, versions and addresses are no arithmetic, though they look like it.
_NOT_ARITHMETIC = re.compile(
    r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b\d{1,2}:\d{2}(?::\d{2})?\b|\b\d+(?:\.\d+){2,}\b"
    r"|\b\d{3}-\d{3}-\d{4}\b|\b24/7\b|\b9/11\b|\+\d{6,}|https?://\S+|\S+@\S+"
)
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?![\d,])")
_TOKEN = re.compile(r"%of\b|\d+\.?\d*(?:e[+-]?\d+\b)?|\.\d+|[a-z_][a-z_0-9]*|\*\*|[-+*/^!%()]|[^\s\w]", re.IGNORECASE)
_FUNCTIONS = frozenset(
    {"sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos", "atan", "exp", "log", "ln", "log2", "log10", "abs"}
    | {"floor", "ceil"}
)
_CONSTANTS = frozenset({"pi"})
_FILLERS = frozenset(
    {
        "what", "is", "are", "s", "whats", "the", "a", "result", "value", "answer", "of", "to", "please", "can",
        "could", "would", "you", "me", "tell", "give", "calculate", "compute", "evaluate", "work", "out", "how",
        "much", "many", "does", "do", "equal", "equals", "find", "and", "then", "solve", "for", "i", "need", "know",
        "hello", "hi", "hey", "thanks", "quick", "quickly", "math", "maths", "question", "it", "exactly", "tip",
        "was", "ist", "wie", "viel", "bitte", "cuanto", "cu\u00e1nto", "es", "combien", "fait", "font", "quanto",
    }
)  # fmt: skip
_PUNCTUATION = frozenset("?.,;:=!'\"`$€£\u2019\u00bf\u00a1*_#")


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Arithmetic that was found.

    Attributes:
        expression: in plain signs, such as `23*17 + sqrt(144)` or `15% of 80`.
        alone: whether the rest of the text only asks for its value, so that nothing else can be meant.
    """

    expression: str
    alone: bool


def extract_arithmetic(text: str) -> Arithmetic | None:
    """Return the longest arithmetic with at least one operation in the text, or None."""
    if len(text) > MOST_CHARS:
        return None
    plain = _NOT_ARITHMETIC.sub(" § ", text.translate(_SIGNS))
    plain = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), plain)
    tokens = _TOKEN.findall(signs_for_words(digits_for_words(plain)))
    if len(tokens) > MOST_TOKENS:
        return None
    best: tuple[int, int, str] | None = None
    start = 0
    while start < len(tokens):
        parsed = _Parser(tokens, start).longest()
        if parsed is None:
            start += 1
            continue
        end, expression = parsed
        if best is None or end - start > best[1] - best[0]:
            best = (start, end, expression)
        start = end
    if best is None:
        return None
    rest = tokens[: best[0]] + tokens[best[1] :]
    alone = all(token.lower() in _FILLERS or token in _PUNCTUATION for token in rest)
    return Arithmetic(_bare(best[2]), alone)


def _bare(expression: str) -> str:
    """Return the expression without parentheses around the whole of it."""
    depth = 0
    for at, character in enumerate(expression):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return _bare(expression[1:-1]) if at and at == len(expression) - 1 and expression[0] == "(" else expression
    return expression


class _NoParse(Exception):
    """The grammar does not accept what is there."""


class _Parser:
    """Recursive descent over tokens. Each rule returns its text and moves on."""

    def __init__(self, tokens: list[str], start: int) -> None:
        self._tokens = tokens
        self._at = start
        self._depth = 0
        self._operations = 0

    def longest(self) -> tuple[int, str] | None:
        """Return the end of the longest sum from the start and its text, when it holds an operation."""
        try:
            text = self._sum()
        except _NoParse:
            return None
        return (self._at, text) if self._operations else None

    def _next(self) -> str:
        return self._tokens[self._at].lower() if self._at < len(self._tokens) else ""

    def _sum(self) -> str:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise _NoParse
        text = self._chain(self._product, {"+": " + ", "-": " - "})
        self._depth -= 1
        return text

    def _product(self) -> str:
        signs = {"*": "*", "/": "/", "mod": " mod ", "%of": "% of "}
        return self._chain(self._signed, signs)

    def _chain(self, rule: Callable[[], str], signs: dict[str, str]) -> str:
        text = rule()
        while (sign := self._next()) in signs:
            before, operations = self._at, self._operations
            self._at += 1
            try:
                text += signs[sign] + rule()
            except _NoParse:
                # A sign with nothing behind it belongs to the words around the arithmetic.
                self._at, self._operations = before, operations
                break
            self._operations += 1
        return text

    def _signed(self) -> str:
        if self._next() == "-":
            self._at += 1
            self._depth += 1
            if self._depth > MOST_DEPTH:
                raise _NoParse
            text = "-" + self._signed()
            self._depth -= 1
            return text
        return self._power()

    def _power(self) -> str:
        text = self._postfix()
        if self._next() in {"^", "**"}:
            before = self._at
            self._at += 1
            try:
                text += "^" + self._signed()
            except _NoParse:
                self._at = before
            else:
                self._operations += 1
        return text

    def _postfix(self) -> str:
        text = self._primary()
        while self._next() in {"!", "%"}:
            sign = self._next()
            if sign == "!" and not text[-1].isdigit() and text[-1] != ")":
                break
            self._at += 1
            text += sign
            if sign == "!":
                self._operations += 1
        return text

    def _primary(self) -> str:
        word = self._next()
        self._at += 1
        if word and (word[0].isdigit() or (word[0] == "." and word != ".")):
            return word.rstrip(".")
        if word in _CONSTANTS:
            return word
        if word == "(":
            return f"({self._closed()})"
        if word in _FUNCTIONS:
            self._operations += 1
            if self._next() == "(":
                self._at += 1
                return f"{word}({self._closed()})"
            return f"{word}({self._postfix()})"
        self._at -= 1
        raise _NoParse

    def _closed(self) -> str:
        text = self._sum()
        if self._next() != ")":
            raise _NoParse
        self._at += 1
        return text
