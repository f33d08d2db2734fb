"""Says whether something grows, from noisy samples of it.

Samples of one moment resemble those of the moment before, so they are no independent witnesses. The time is cut into
ten blocks, and the median of each is one witness. The slope is the median of the slopes between all pairs of them
(Theil-Sen), which a few outliers do not move; its bounds are those of Sen (1968, doi:10.1080/01621459.1968.10480934)
at 95 % by Kendall's statistic. What grows by at most so much even by the upper bound is flat; what grows by more even
by the lower bound grows; between them nobody knows, and more samples are needed.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

BLOCKS = 10
LEAST_IN_BLOCK = 2
_QUANTILE_95 = 1.96


class Verdict(StrEnum):
    """Whether something grows."""

    FLAT = "flat"
    GROWS = "GROWS"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Trend:
    """The slope an hour, and its bounds at 95 %."""

    slope: float
    low: float
    high: float

    def verdict(self, most: float) -> Verdict:
        """What it says of something that may grow by `most` an hour."""
        if self.high <= most:
            return Verdict.FLAT
        return Verdict.GROWS if self.low > most else Verdict.UNDECIDED


NOTHING_KNOWN = Trend(math.nan, -math.inf, math.inf)


def trend_of(points: Sequence[tuple[float, float]]) -> Trend:
    """The trend of values over seconds, given as (seconds, value) in order; NOTHING_KNOWN for too few."""
    if len(points) < BLOCKS * LEAST_IN_BLOCK:
        return NOTHING_KNOWN
    blocks = [_block(points, number) for number in range(BLOCKS)]
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0]) * 3600 for earlier, later in itertools.combinations(blocks, 2)
    )
    spread = _QUANTILE_95 * math.sqrt(BLOCKS * (BLOCKS - 1) * (2 * BLOCKS + 5) / 18)
    low = math.floor((len(slopes) - spread) / 2)
    return Trend(statistics.median(slopes), slopes[low], slopes[len(slopes) - 1 - low])


def _block(points: Sequence[tuple[float, float]], number: int) -> tuple[float, float]:
    """The medians of time and value in one of the blocks."""
    begin, end = (len(points) * each // BLOCKS for each in (number, number + 1))
    part = points[begin:end]
    return statistics.median(time_s for time_s, _ in part), statistics.median(value for _, value in part)
