"""Whether something grows is said only when the samples say so."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest

from benchmarks.soak import has_served
from benchmarks.trend import Verdict, trend_of

MOST = 30.0


def samples(
    per_hour: float, noise: float, *, seed: int = 1, minutes: float = 5, warm_up: float = 0.0
) -> list[tuple[float, float]]:
    """A value every five seconds: a line, noise of which neighbours resemble each other, and an end of a warm-up."""
    rnd, drift, points = Random(seed), 0.0, []  # noqa: S311
    for number in range(int(minutes * 12)):
        time_s = number * 5.0
        drift = 0.7 * drift + rnd.gauss(0, noise)
        points.append((time_s, 100 + per_hour * time_s / 3600 + drift + warm_up * math.exp(-time_s / 20)))
    return points


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_never_grows_and_a_leak_is_never_flat(seed: int) -> None:
    assert trend_of(samples(0, 0.1, seed=seed)).verdict(MOST) is Verdict.FLAT
    assert trend_of(samples(0, 2, seed=seed)).verdict(MOST) is not Verdict.GROWS
    assert trend_of(samples(90, 0.1, seed=seed)).verdict(MOST) is Verdict.GROWS
    assert trend_of(samples(120, 2, seed=seed)).verdict(MOST) is not Verdict.FLAT


def test_what_cannot_be_told_is_not_called_flat() -> None:
    assert trend_of(samples(0, 3)).verdict(MOST) is Verdict.UNDECIDED
    assert trend_of(samples(0, 0.1, minutes=1)).verdict(MOST) is Verdict.UNDECIDED
    assert trend_of([]).verdict(MOST) is Verdict.UNDECIDED
    # More samples tell.
    assert trend_of(samples(0, 3, minutes=120)).verdict(MOST) is Verdict.FLAT


def test_the_end_of_a_warm_up_does_not_grow() -> None:
    assert trend_of(samples(0, 0.05, warm_up=-8)).verdict(MOST) is Verdict.UNDECIDED
    assert trend_of(samples(0, 0.05, warm_up=-1)).verdict(MOST) is Verdict.FLAT


def test_single_outliers_move_nothing() -> None:
    points = samples(0, 0.05)
    points[-1] = (points[-1][0], points[-1][1] + 500)
    points[7] = (points[7][0], points[7][1] - 90)
    assert trend_of(points).verdict(MOST) is Verdict.FLAT


def test_the_slope_of_a_line_is_exact() -> None:
    trend = trend_of(samples(42, 0))
    assert (trend.slope, trend.low, trend.high) == pytest.approx((42, 42, 42))


@pytest.mark.parametrize(
    ("endings", "served"),
    [
        ({"answered by a/m": 6, "UNAVAILABLE": 4}, True),
        ({"answered by a/m": 4, "UNAVAILABLE": 6}, False),
        ({"answered by a/m": 99, "INTERNAL": 1}, False),
        ({}, False),
    ],
)
def test_a_router_that_does_not_serve_is_no_witness(endings: dict[str, int], served: bool) -> None:
    assert has_served(Counter(endings)) is served
