"""Values: dataclasses with slots that nobody changes, and that are cheap to make.

For types of which every call makes some. `dataclass(frozen=True)` sets each field by a call of its own, which is five
to eight times as slow as an assignment: at over a hundred fields a call that was a tenth of the router's work. That
nobody assigns to a field of a value is for the type checker to see, which treats it as frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(eq_default=True, frozen_default=True, field_specifiers=(field,))
def value(kind: type[T]) -> type[T]:
    """Make a value of a class with annotated fields: compared and hashed by its fields."""
    return dataclass(slots=True, unsafe_hash=True)(kind)
