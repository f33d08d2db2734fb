"""Cuts an expression into tokens and reads the notations that people use and Python does not.

`2x`, `3(4+5)`, `5!`, `30°`, `√2`, `15% of 80`, `20% off 50`, `1,234.5`, `x^2` and a single `=` become tokens of plain
Python operators, so that the parser behind sees one notation only.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from tool_executor.domain.calculation import CalculationError
from tool_executor.domain.expression_names import CONSTANTS, FUNCTIONS

MAX_TOKENS = 600
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z][A-Za-z0-9_]*)
      | (?P<operator>\*\*|//|==|!=|<=|>=|[-+*/%^!=<>(),\[\]°√∛‼])""",
    re.VERBOSE,
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])")
_PREFIXES = {"√": "sqrt", "∛": "cbrt", "‼": "factorial"}
_OPENING, _CLOSING = {"(", "["}, {")", "]"}


class Kind(Enum):
    """What a token is."""

    NUMBER = "number"
    NAME = "name"
    OPERATOR = "operator"


class Token(NamedTuple):
    """A token, and whether a space stands before it."""

    kind: Kind
    text: str
    spaced: bool = False


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of `text` in plain Python notation.

    Raises:
        CalculationError: with reason EXPRESSION_INVALID for a character that has no meaning or brackets that do not
            match; CALCULATION_TOO_LARGE for too many tokens.
    """
    tokens = _cut(text)
    _check_brackets(tokens)
    return _with_multiplication(_with_percent(_with_postfix(_with_prefixes(tokens))))


def _operator(text: str) -> Token:
    return Token(Kind.OPERATOR, text)


def _cut(text: str) -> list[Token]:
    tokens: list[Token] = []
    calls: list[bool] = []
    position, spaced = 0, False
    while position < len(text):
        grouped = None if any(calls) else _THOUSANDS.match(text, position)
        match = _TOKEN.match(text, position)
        if match is None:
            raise CalculationError("EXPRESSION_INVALID", f"The character {text[position]!r} has no meaning here.")
        end = match.end()
        if match.lastgroup != "space":
            word = match.group()
            if grouped and match.lastgroup == "number":
                decimals = re.compile(r"\.\d+").match(text, grouped.end())
                end = decimals.end() if decimals else grouped.end()
                word = text[position:end].replace(",", "")
            _follow_calls(calls, word, tokens)
            tokens.append(Token(Kind(match.lastgroup or ""), word, spaced))
        spaced = match.lastgroup == "space"
        position = end
        if len(tokens) > MAX_TOKENS:
            raise CalculationError("CALCULATION_TOO_LARGE", f"The expression has more than {MAX_TOKENS} parts.")
    return tokens


def _follow_calls(calls: list[bool], word: str, tokens: list[Token]) -> None:
    """Keep for each open bracket whether a comma separates things in it, as in `max(1,200)`."""
    if word in _OPENING:
        calls.append(word == "[" or (bool(tokens) and _is_function(tokens[-1])))
    elif word in _CLOSING and calls:
        calls.pop()


def _check_brackets(tokens: list[Token]) -> None:
    open_ones: list[str] = []
    for token in tokens:
        if token.text in _OPENING:
            open_ones.append(token.text)
        elif token.text in _CLOSING and (not open_ones or open_ones.pop() + token.text not in {"()", "[]"}):
            raise CalculationError("EXPRESSION_INVALID", f"A {token.text!r} closes nothing.")
    if open_ones:
        raise CalculationError("EXPRESSION_INVALID", f"A {open_ones[-1]!r} is never closed.")


def _is_function(token: Token) -> bool:
    return token.kind is Kind.NAME and token.text.lower() in FUNCTIONS


def _with_prefixes(tokens: list[Token]) -> list[Token]:
    """Turn `√2` and `√(...)` into `sqrt(2)` and `sqrt(...)`."""
    found: list[Token] = []
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        if token.text in _PREFIXES:
            found.append(Token(Kind.NAME, _PREFIXES[token.text], token.spaced))
            if index + 1 < len(tokens) and tokens[index + 1].text == "(":
                continue
            if index + 1 >= len(tokens) or tokens[index + 1].kind is Kind.OPERATOR:
                raise CalculationError("EXPRESSION_INVALID", f"Write {_PREFIXES[token.text]}(...).")
            found.append(_operator("("))
        else:
            found.append(token)
            if before in _PREFIXES and token.text != "(":
                found.append(_operator(")"))
    return found


def _with_postfix(tokens: list[Token]) -> list[Token]:
    """Turn `5!` into `factorial(5)` and `30°` into `30*(pi/180)`."""
    found: list[Token] = []
    for token in tokens:
        if token.text == "!":
            start = _operand_start(found)
            found[start:] = [Token(Kind.NAME, "factorial"), _operator("("), *found[start:], _operator(")")]
        elif token.text == "°":
            start = _operand_start(found)
            found[start:] = [_operator("("), *found[start:], _operator("*"), Token(Kind.NAME, "pi")]
            found += [_operator("/"), Token(Kind.NUMBER, "180"), _operator(")")]
        else:
            found.append(token)
    return found


def _operand_start(tokens: list[Token]) -> int:
    """Return where the operand begins that `tokens` end with."""
    if not tokens or (tokens[-1].kind is Kind.OPERATOR and tokens[-1].text not in _CLOSING):
        raise CalculationError("EXPRESSION_INVALID", "A '!', '°' or '%' follows nothing that it can belong to.")
    index, depth = len(tokens) - 1, 0
    if tokens[-1].kind is not Kind.OPERATOR:
        return index
    while True:
        depth += (tokens[index].text in _CLOSING) - (tokens[index].text in _OPENING)
        if depth == 0:
            break
        index -= 1
    return index - 1 if index and _is_function(tokens[index - 1]) else index


def _with_percent(tokens: list[Token]) -> list[Token]:
    """Turn `15%` into `(15/100)`, `20% off` into `(1 - 20/100)*` and `of` into `*`; `17 % 5` stays a remainder."""
    found: list[Token] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        word = token.text.lower() if token.kind is Kind.NAME else ""
        if token.text == "%" and _is_percent(token, following):
            off = following is not None and following.text.lower() == "off"
            start = _operand_start(found)
            whole = [Token(Kind.NUMBER, "1"), _operator("-")] if off else []
            found[start:] = [_operator("("), *whole, *found[start:], _operator("/"), Token(Kind.NUMBER, "100")]
            found.append(_operator(")"))
        elif word == "of" or (word == "off" and index and tokens[index - 1].text == "%"):
            found.append(_operator("*"))
        else:
            found.append(token)
    return found


def _is_percent(token: Token, following: Token | None) -> bool:
    if following is None:
        return True
    if following.kind is Kind.NAME:
        return following.text.lower() in {"of", "off"}
    if following.kind is Kind.NUMBER or following.text in _OPENING | set(_PREFIXES):
        return False
    return not (following.text in {"+", "-"} and token.spaced)


def _with_multiplication(tokens: list[Token]) -> list[Token]:
    """Put `*` where people leave it out: `2x`, `3(4+5)`, `(a)(b)`, `2 pi r`."""
    found: list[Token] = []
    for token in tokens:
        if found and _multiplies(found[-1], token):
            found.append(_operator("*"))
        found.append(token)
    return found


def _multiplies(left: Token, right: Token) -> bool:
    if right.kind is Kind.OPERATOR and right.text != "(":
        return False
    if left.kind is Kind.OPERATOR:
        return left.text == ")"
    if left.kind is Kind.NUMBER:
        if right.kind is Kind.NUMBER:
            raise CalculationError(
                "EXPRESSION_INVALID", f"Between {left.text} and {right.text} an operator is missing."
            )
        return True
    if right.text == "(":
        return not _is_function(left) and (len(left.text) == 1 or left.text in CONSTANTS)
    if right.kind is Kind.NAME and _is_quantity(left) and (_is_quantity(right) or _is_function(right)):
        return True
    raise CalculationError(
        "EXPRESSION_INVALID",
        f"The words '{left.text[:40]} {right.text[:40]}' are no mathematics. Give the expression alone: 3*x + 4.",
    )


def _is_quantity(token: Token) -> bool:
    return len(token.text) == 1 or token.text in CONSTANTS
