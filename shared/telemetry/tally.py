"""Counters, gauges and histograms for hot paths, which a scrape of Prometheus sees like any others.

One of `prometheus_client` takes a lock for each number that it changes, which are three for an observation. A tally is
counted by one thread, the event loop's, so it needs none; whoever scrapes sees what was counted up to some moment.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from prometheus_client import REGISTRY, utils
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_package: Any = utils
"""It has no types."""


class Count:
    """One counter of a family."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add `amount`, which is not negative."""
        self.total += amount


class Level:
    """One gauge of a family."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0.0

    def inc(self) -> None:
        """Add one."""
        self.total += 1

    def dec(self) -> None:
        """Take one away."""
        self.total -= 1


class Spread:
    """One histogram of a family."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, amount: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self._bounds, amount)] += 1
        self.total += amount


_Child = TypeVar("_Child")


class _Family(Collector, Generic[_Child]):
    """Metrics of one name, by their labels.

    Args:
        name: See those who extend this.
        documentation: What it tells.
        labels: Their names.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._children: dict[tuple[str, ...], _Child] = {}
        REGISTRY.register(self)

    def labels(self, *values: str) -> _Child:
        """Return the metric of these labels; keep it, for it costs a look-up."""
        child = self._children.get(values)
        if child is None:
            if len(values) != len(self._labels):
                raise ValueError(f"{self._name} has other labels")
            child = self._children[values] = self._new()
        return child

    def describe(self) -> Iterable[Metric]:
        """Return the family without its numbers."""
        return [self._family()]

    @abstractmethod
    def _new(self) -> _Child: ...

    @abstractmethod
    def _family(self) -> Metric: ...


class Counts(_Family[Count]):
    """A family of counters; `name` has `_total` at its end."""

    def collect(self) -> Iterable[Metric]:
        """Return the family."""
        family = self._family()
        for values, child in list(self._children.items()):
            family.add_metric(values, child.total)
        return [family]

    def _new(self) -> Count:
        return Count()

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._name, self._documentation, labels=self._labels)


class Levels(_Family[Level]):
    """A family of gauges."""

    def collect(self) -> Iterable[Metric]:
        """Return the family."""
        family = self._family()
        for values, child in list(self._children.items()):
            family.add_metric(values, child.total)
        return [family]

    def _new(self) -> Level:
        return Level()

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._name, self._documentation, labels=self._labels)


class Spreads(_Family[Spread]):
    """A family of histograms; `buckets` are upper bounds, in order."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> None:
        self._bounds = tuple(map(float, buckets))
        super().__init__(name, documentation, labels)

    def collect(self) -> Iterable[Metric]:
        """Return the family."""
        family = self._family()
        for values, child in list(self._children.items()):
            so_far, buckets = 0, list[tuple[str, float]]()
            for bound, count in zip((*self._bounds, float("inf")), child.counts, strict=True):
                so_far += count
                buckets.append((_package.floatToGoString(bound), so_far))
            family.add_metric(values, buckets, child.total)
        return [family]

    def _new(self) -> Spread:
        return Spread(self._bounds)

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
