"""What a waiting client is told of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Began:
    """The run is accepted."""

    run_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something happened that is worth a word; `is_warning` where it also belongs to the answer."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Wrote:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Voided:
    """The text of the answer so far is void."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The end: the whole answer."""

    answer: str


@dataclass(frozen=True, slots=True)
class Broke:
    """The end: it failed or was cancelled, and why."""

    reason: str
    message: str


RunEvent: TypeAlias = Began | Noted | Wrote | Voided | Answered | Broke
