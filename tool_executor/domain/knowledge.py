"""Passages of text that an organisation knows, by source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text.

    Args:
        text: not blank, at most 2,000 characters.
        title: what it is called, or what it is a part of; may be empty.
        url: where it can be read, http or https; may be empty.
    """

    text: str
    title: str = ""
    url: str = ""

    @property
    def meaning(self) -> str:
        """What is compared with questions: the title tells what the text is about."""
        return f"{self.title}\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class Deposit:
    """What is put into the store at once.

    Args:
        source: the source's name.
        passages: at least one; the last of several with the same text stands.
        replace: whether the source shall hold these alone.
    """

    source: str
    passages: Sequence[Passage]
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Deposited:
    """How many passages a put added, and how many its source has now."""

    new: int
    of_source: int


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source: its name, how many passages it has, and when some were put last."""

    name: str
    passages: int
    put_at: datetime


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Sources by name, and the name after which the next page begins; empty on the last page."""

    sources: Sequence[SourceState]
    next_after: str


@dataclass(frozen=True, slots=True)
class KnowledgeHit:
    """A passage that was found, its source, and the cosine of its vector and the question's, -1 to 1."""

    passage: Passage
    source: str
    score: float


@dataclass(frozen=True, slots=True)
class KnowledgeFound:
    """What a search found, the nearest first, and whether there is anything at all to search."""

    hits: Sequence[KnowledgeHit]
    is_empty: bool
