"""Arithmetic in words as signs: `seven plus 5` is `seven + 5`, `20% off 80` is `(80 - 20% of 80)`."""

from __future__ import annotations

import re
from collections.abc import Callable

_NUMBER = r"-?\d+(?:\.\d+)?"
_PERCENT = r"\s*(?:%|per\s?cent)"
_ARTICLES = r"(?:an?\s+|the\s+|my\s+)?"
# What a share is taken of may be named before its amount: `a 20% tip on a bill of 45.50`.
_AMOUNT = rf"{_ARTICLES}(?:\w+\s+(?:of|for)\s+)?({_NUMBER})"
_SHARE = r"(?:tip|gratuity|tax|sales\s+tax|vat|interest|commission|fee|duty)"
_LIST = rf"({_NUMBER}(?:\s*,\s*(?:and\s+)?{_NUMBER}|\s+and\s+{_NUMBER})+)"
_SPLIT = r"\b(?:split|divide|share)\b[^\d?.!]{0,24}"
_AMONG = r"(?:between|among|amongst|by|into|across)"
_BEFORE_SHARED = r"(?=[\d(]|half\s+of\b|(?:an?|1)\s+(?:third|quarter)\s+of\b)"
_CURRENCY = re.compile(r"[$\u20ac\u00a3\u00a5]\s*(?=\d)")
_NUMBERS = re.compile(_NUMBER)


def _joined(sign: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"({f' {sign} '.join(_NUMBERS.findall(match[1]))})"


def _mean(match: re.Match[str]) -> str:
    numbers = _NUMBERS.findall(match[1])
    return f"({' + '.join(numbers)}) / {len(numbers)}"


_REWRITES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), sign)
    for pattern, sign in (
        (rf"({_NUMBER}){_PERCENT}\s+(?:off|discount\s+on)\s+(?:of\s+)?{_AMOUNT}", r"(\2 - \1% of \2)"),
        (rf"({_NUMBER})([^\d%]{{1,40}})({_NUMBER}){_PERCENT}\s+(?:off|discount|cheaper)\b", r"(\1 - \3% of \1)"),
        (rf"({_NUMBER}){_PERCENT}\s+{_SHARE}\s+(?:on|for|of)\s+{_AMOUNT}", r"(\1% of \2)"),
        (rf"\b{_SHARE}\s+of\s+({_NUMBER}){_PERCENT}\s+(?:on|for|of)\s+{_AMOUNT}", r"(\1% of \2)"),
        (rf"\b(?:increase|raise)\s+({_NUMBER})\s+by\s+({_NUMBER}){_PERCENT}", r"(\1 + \2% of \1)"),
        (rf"\b(?:decrease|reduce|lower)\s+({_NUMBER})\s+by\s+({_NUMBER}){_PERCENT}", r"(\1 - \2% of \1)"),
        (rf"\bwhat\s+per\s?cent(?:age)?\s+of\s+({_NUMBER})\s+is\s+({_NUMBER})", r"(\2 / \1 * 100)"),
        (rf"\bwhat\s+per\s?cent(?:age)?\s+is\s+({_NUMBER})\s+of\s+({_NUMBER})", r"(\1 / \2 * 100)"),
        (rf"\b(?:the\s+)?(?:average|mean)\s+of\s+{_LIST}", _mean),
        (rf"\b(?:the\s+)?(?:sum|total)\s+of\s+{_LIST}", _joined("+")),
        (rf"\b(?:the\s+)?product\s+of\s+{_LIST}", _joined("*")),
        (rf"\b(?:the\s+)?difference\s+(?:of|between)\s+({_NUMBER})\s+and\s+({_NUMBER})", r"\1 - \2"),
        (rf"\badd\s+({_NUMBER})\s+(?:and|to|with)\s+({_NUMBER})(?:\s+together)?", r"\1 + \2"),
        (rf"\bsubtract\s+({_NUMBER})\s+from\s+({_NUMBER})", r"\2 - \1"),
        (rf"\bmultiply\s+({_NUMBER})\s+(?:by|with|and)\s+({_NUMBER})", r"\1 * \2"),
        (rf"{_SPLIT}\s({_NUMBER})\s*(?:[a-z]+\s+)?(?:evenly\s+|equally\s+)?{_AMONG}\s+({_NUMBER})", r"\1 / \2"),
        (rf"\bhalf\s+of\s+{_BEFORE_SHARED}", " 1/2 * "),
        (rf"\b(?:an?|1)\s+third\s+of\s+{_BEFORE_SHARED}", " 1/3 * "),
        (rf"\b(?:an?|1)\s+quarter\s+of\s+{_BEFORE_SHARED}", " 1/4 * "),
        (rf"\b(?:double|twice)\s+({_NUMBER})", r"2 * \1"),
        (r"\b(?:the\s+)?square\s+root\s+of\b", " sqrt "),
        (r"\b(?:the\s+)?cube\s+root\s+of\b", " cbrt "),
        (r"\b(?:the\s+)?factorial\s+of\s+(\d+)", r"\1!"),
        (r"(?<=\d)\s+factorial\b", "!"),
        (r"\b(?:raised\s+)?to\s+the\s+power\s+(?:of\s+)?", "^"),
        (r"\bmultiplied\s+by\b|(?<=[\d)])\s*times\b", "*"),
        (r"\bdivided\s+by\b|(?<=[\d)])\s*over\s+(?=[\d(])", "/"),
        (r"\bplus\b", "+"),
        (r"\bminus\b", "-"),
        (r"(?<=[\d)])\s*squared\b", "^2"),
        (r"(?<=[\d)])\s*cubed\b", "^3"),
        (r"\s*(?:%|\bper\s?cent)\s+of\b", " %of "),
        (r"(?<=\d)\s*per\s?cent\b", "%"),
        (r"(?<=[\d)])\s*(?:x|mal|fois|por)\s*(?=[\d(])", "*"),
    )
)


def signs_for_words(text: str) -> str:
    """Return the text with signs in place of the words for operations. Numbers in it are digits without commas."""
    text = _CURRENCY.sub(" ", text)
    for pattern, sign in _REWRITES:
        text = pattern.sub(sign, text)
    return text
