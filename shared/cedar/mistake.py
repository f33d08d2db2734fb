"""Finds the place of a mistake in a policy. Cedar's binding says what is wrong, and not where.

Its parser reads from left to right and refuses the first token that cannot stand where it stands. So a wrong token is
the end of the shortest beginning that is refused for the same reason as the whole. All other messages name what they
mind, and that is looked for.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

Minds: TypeAlias = Callable[[str], Collection[str]]
"""What Cedar says of a text; nothing when it is good."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\w+|::|[=!<>]=|&&|\|\||[^\s\w]', re.DOTALL)
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*', re.DOTALL)
_NAMED = re.compile(r"`([^`]+)`|'([^']+)'|(@\w+)|: (\w+)$")
_GRAMMAR = ("unexpected token ", "unexpected end of input")
_AT_THE_END = frozenset({"unexpected end of input", "unexpected token `;`"})
_NO_ATTRIBUTE = "no_such_attribute_0"


def place_of_mistake(policy: str, message: str, minds: Minds) -> int:
    """Where in `policy` is what `message` is about, in characters; 0, its beginning, when nobody can say.

    Args:
        policy: The text of one policy.
        message: What Cedar, or the reader of annotations, said of it.
        minds: Asks Cedar.
    """
    # Of the same length, so that places stay what they are.
    code = _COMMENT.sub(lambda found: found[1] or " " * len(found[0]), policy)
    if not message.startswith(_GRAMMAR):
        for names in _NAMED.findall(message):
            place = _place_of_name(code, next(filter(None, names)), message, minds)
            if place is not None:
                return place
    return _first_refused(code, message, minds)


def _first_refused(code: str, message: str, minds: Minds) -> int:
    tokens = list(_TOKEN.finditer(code))
    if not tokens or message in _AT_THE_END:
        return tokens[-1].start() if tokens else 0
    # A semicolon, of which a policy has one, refuses every good beginning for a reason of its own.
    index = bisect_left(tokens, 1, key=lambda token: int(message in minds(f"{code[: token.end()]} ;")))
    if message.startswith(_GRAMMAR):
        return tokens[min(index, len(tokens) - 1)].start()
    # What a token means is looked at when the one after it was read; that of the whole, when all were.
    return tokens[index - 1].start() if 0 < index < len(tokens) - 1 else 0


def _place_of_name(code: str, name: str, message: str, minds: Minds) -> int | None:
    """Where `name` stands; None when it does not."""
    before, after = (r"(?<!\w)", r"(?!\w)") if name.strip("@").isidentifier() else (r"(?<![=!<>&|])", r"(?![=&|])")
    places = [found.start() for found in re.finditer(before + re.escape(name) + after, code)]
    if message.startswith("duplicate"):
        return places[1] if len(places) > 1 else None
    read = [place for place in places if code[:place].rstrip().endswith(".")]
    if len(read) > 1:
        return _first_minded(code, name, read, message, minds)
    return (read or places or [None])[0]


def _first_minded(code: str, name: str, read: Sequence[int], message: str, minds: Minds) -> int:
    """At which of the places in `read` the attribute `name` is minded first.

    It is among the first few when it is still minded after all others read another attribute. Cedar is asked as often
    as it takes to halve their number down to one: whoever tries rules on a running router may write thousands.
    """
    counts = range(1, len(read))
    index = bisect_left(counts, 1, key=lambda count: int(message in minds(_renamed(code, name, read[count:]))))
    return read[index]


def _renamed(code: str, name: str, places: Sequence[int]) -> str:
    """`code`, which reads an attribute that there is not instead of `name` at each of `places`."""
    for place in reversed(places):
        code = code[:place] + _NO_ATTRIBUTE + code[place + len(name) :]
    return code
