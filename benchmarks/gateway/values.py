"""What was measured: of each candidate a value a round, and ratios of values of one round."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.gateway.generator import WrongAnswersError


@dataclass(slots=True)
class Values:
    """Values by measurement and candidate, in the order of the rounds.

    Attributes:
        kept: The values.
        troubles: What could not be measured, and why, in words, by where it was to be measured.
    """

    kept: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    troubles: dict[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def attempt(self, measurement: str, name: str) -> Generator[None]:
        """Note wrong answers within the block, which then has no value; others are still measured."""
        try:
            yield
        except WrongAnswersError as error:
            self.trouble(f"{name}, {measurement}", str(error))

    def trouble(self, where: str, what: str) -> None:
        """Note what could not be measured: the first trouble of a place says enough of it."""
        self.troubles.setdefault(where, what)

    def add(self, measurement: str, name: str, value: float) -> None:
        """Note a round's value."""
        self.kept[measurement][name].append(value)

    def of(self, measurement: str, name: str) -> list[float]:
        """Return the values of the rounds; none for what was not measured."""
        return self.kept.get(measurement, {}).get(name, [])

    def median(self, measurement: str, name: str) -> float:
        """Return the median of the rounds; not a number for what was not measured."""
        return _median(self.of(measurement, name))

    def ratio(self, measurement: str, name: str, reference: str) -> float:
        """Return the median of each round's value divided by the reference's of the same round."""
        return _median([mine / its for mine, its in self._pairs(measurement, name, reference)])

    def difference(self, measurement: str, name: str, reference: str) -> float:
        """Return the median of each round's value less the reference's of the same round."""
        return _median([mine - its for mine, its in self._pairs(measurement, name, reference)])

    def _pairs(self, measurement: str, name: str, reference: str) -> list[tuple[float, float]]:
        return list(zip(self.of(measurement, name), self.of(measurement, reference), strict=False))


def _median(found: list[float]) -> float:
    return statistics.median(found) if found else math.nan
