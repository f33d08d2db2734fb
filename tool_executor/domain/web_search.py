"""A search of the web and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_TITLE_CHARS = 200
_SNIPPET_CHARS = 600
_URL_CHARS = 2_048


class Recency(Enum):
    """How old a page may be."""

    ANY = "any"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """What to search for.

    Args:
        query: the words.
        count: most results, 1 to 20.
        recency: how old a page may be.
    """

    query: str
    count: int
    recency: Recency = Recency.ANY


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A page that was found.

    Args:
        title: its title.
        url: http or https.
        snippet: some words of it.
        source: who found it, for example `google`.
        published: when it was published, in the engine's own words; empty when that is not known.
    """

    title: str
    url: str
    snippet: str
    source: str
    published: str


@dataclass(frozen=True, slots=True)
class SearchFound:
    """What a search found.

    Args:
        hits: the best first.
        answer: what the engine itself answers; often empty.
    """

    hits: tuple[SearchHit, ...]
    answer: str = ""


def hit_of(*, title: object, url: object, snippet: object, source: object, published: object) -> SearchHit | None:
    """Return a hit of an engine's fields, whatever they hold, within bounds; None when there is no page to open."""
    place = _words(url, _URL_CHARS + 1)
    if len(place) > _URL_CHARS or not place.lower().startswith(("http://", "https://")):
        return None
    return SearchHit(
        _words(title, _TITLE_CHARS) or place,
        place,
        _words(snippet, _SNIPPET_CHARS),
        _words(source, 40),
        _words(published, 40),
    )


def answer_of(text: object) -> str:
    """Return an engine's own answer within bounds; empty when it is no text."""
    return _words(text, _SNIPPET_CHARS)


def _words(value: object, most: int) -> str:
    """Return the text in `value`, its spaces evened out, at most `most` characters; empty for what is no text."""
    return " ".join(value[: most * 4].split())[:most] if isinstance(value, str) else ""
