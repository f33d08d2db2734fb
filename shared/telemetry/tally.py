"""Counters and histograms for hot paths, which a scrape of Prometheus sees like any others.

One of `prometheus_client` takes a lock for each number that it changes, which are three for an observation. A tally is
counted by one thread, the event loop's, so it needs none; whoever scrapes sees what was counted up to some moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import INF


class Count:
    """One counter of a family."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add `amount`, which is not negative."""
        self.total += amount


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


class Counts(Collector):
    """A family of counters.

    Args:
        name: With `_total` at its end.
        documentation: What is counted.
        labels: Their names.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._children: dict[tuple[str, ...], Count] = {}
        REGISTRY.register(self)

    def labels(self, *values: str) -> Count:
        """Return the counter of these labels; keep it, for it costs a look-up."""
        return self._children.setdefault(tuple(map(str, values)), Count())

    def describe(self) -> Iterable[Metric]:
        """Return the family without its numbers."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """Return the family."""
        family = self._family()
        for values, child in list(self._children.items()):
            family.add_metric(values, child.total)
        return [family]

    def _family(self) -> CounterMetricFamily:
        return CounterMetricFamily(self._name, self._documentation, labels=self._labels)


class Spreads(Collector):
    """A family of histograms.

    Args:
        name: Without an end.
        documentation: What is observed.
        labels: Their names.
        buckets: Upper bounds, in order.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._bounds = tuple(map(float, buckets))
        self._children: dict[tuple[str, ...], Spread] = {}
        REGISTRY.register(self)

    def labels(self, *values: str) -> Spread:
        """Return the histogram of these labels; keep it, for it costs a look-up."""
        return self._children.setdefault(tuple(map(str, values)), Spread(self._bounds))

    def describe(self) -> Iterable[Metric]:
        """Return the family without its numbers."""
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        """Return the family."""
        family = self._family()
        for values, child in list(self._children.items()):
            so_far, buckets = 0, list[tuple[str, float]]()
            for bound, count in zip((*self._bounds, INF), child.counts, strict=True):
                so_far += count
                buckets.append(("+Inf" if bound == INF else str(bound), so_far))
            family.add_metric(values, buckets, child.total)
        return [family]

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
