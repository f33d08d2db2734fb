"""Timing of repeated calls, in milliseconds, bounded by a count and by a time."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

Call = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Timings:
    """Durations in milliseconds."""

    values_ms: Sequence[float]

    def percentile(self, percent: float) -> float:
        """Return the nearest-rank percentile, 0 to 100; not a number when nothing was measured."""
        ordered = sorted(self.values_ms)
        if not ordered:
            return math.nan
        return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]

    @property
    def p50(self) -> float:
        """The median, in milliseconds."""
        return self.percentile(50)

    @property
    def p95(self) -> float:
        """The 95th percentile, in milliseconds."""
        return self.percentile(95)


async def interleaved(calls: Mapping[str, Call], count: int, limit_s: float, warmup: int = 3) -> dict[str, Timings]:
    """Make each call in turn, so that what else the machine does weighs on all alike.

    Args:
        calls: What to measure, by name; each returns its duration in milliseconds.
        count: How often to make each.
        limit_s: When to stop at the latest, in seconds, with fewer measurements.
        warmup: Calls of each that are not counted.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    deadline = time.monotonic() + limit_s
    for turn in range(warmup + count):
        for name, call in calls.items():
            took_ms = await call()
            if turn >= warmup:
                found[name].append(took_ms)
        if time.monotonic() > deadline:
            break
    return {name: Timings(values) for name, values in found.items()}


async def timed(work: Awaitable[object]) -> float:
    """Return how long the work took, in milliseconds."""
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000
