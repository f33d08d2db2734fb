"""What the tool executor offers a caller."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class SideEffect(Enum):
    """What a tool does to the world."""

    READ = auto()
    WRITE = auto()
    EXTERNAL = auto()
    PAYMENT = auto()


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool that the caller may use.

    Attributes:
        name: Unique.
        description: For a model.
        input_schema: JSON Schema of the arguments, as JSON.
        output_schema: JSON Schema of the output, as JSON; empty for none.
        side_effect: What it does to the world.
    """

    name: str
    description: str
    input_schema: str
    output_schema: str
    side_effect: SideEffect


@dataclass(frozen=True, slots=True)
class OfferPage:
    """Some of the tools, and the token of the next page; empty on the last one."""

    offers: tuple[Offer, ...]
    next_token: str
