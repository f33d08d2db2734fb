"""What was computed before, within bounds."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Memo(Generic[_Value]):
    """Keeps values until there is too much of them; the one that was used longest ago goes first.

    Keys hold the objects that they stand for, so that none can be mistaken for a later one at the same address.

    Args:
        capacity: The most weight that is kept. A single value may be heavier; it is then kept alone.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._weight = 0
        self._kept: dict[Hashable, tuple[_Value, int]] = {}

    def get(self, key: Hashable) -> _Value | None:
        """The value of `key`; None when it is not kept."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        self._kept[key] = found
        return found[0]

    def put(self, key: Hashable, value: _Value, weight: int = 1) -> _Value:
        """Keeps `value` and returns it."""
        before = self._kept.pop(key, None)
        self._weight += weight - (before[1] if before else 0)
        while self._kept and self._weight > self._capacity:
            self._weight -= self._kept.pop(next(iter(self._kept)))[1]
        self._kept[key] = (value, weight)
        return value

    def keep_only(self, wanted: Callable[[_Value], bool]) -> None:
        """Forgets every value that is not `wanted`."""
        self._kept = {key: kept for key, kept in self._kept.items() if wanted(kept[0])}
        self._weight = sum(weight for _, weight in self._kept.values())

    @property
    def weight(self) -> int:
        """The weight of what is kept."""
        return self._weight
