"""Sums over replayed requests and the area under the curve of cost against quality."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.domain.decisions.replay import CurvePoint, Pick, Tally, area_ppm

POINTS = st.lists(
    st.builds(CurvePoint, st.just(0), st.integers(0, 10**9), st.integers(0, 1_000_000)), min_size=1, max_size=12
)


def test_a_policy_is_summed_up() -> None:
    tally = Tally("tried")
    for pick in (Pick("a/m", 10, 500_000), Pick(), Pick("b/m", 5), Pick("b/m", 1, 1_000_000)):
        tally.add(pick)
    summary = tally.summary()
    assert (summary.routed, summary.unrouted, summary.cost_micro_usd) == (3, 1, 16)
    assert (summary.judged, summary.quality_ppm) == (2, 750_000)
    assert summary.shares == (("b/m", 2), ("a/m", 1))


def test_a_quality_that_nobody_knows_is_not_made_up() -> None:
    tally = Tally("tried")
    tally.add(Pick("a/m", 10))
    assert tally.summary().quality_ppm is None


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], None),
        ([(5, 700)], 700),
        ([(5, 700), (5, 900)], 900),
        ([(0, 0), (10, 1000)], 500),
        ([(10, 1000), (0, 0)], 500),
        ([(0, 400), (10, 800), (40, 800)], 750),
    ],
)
def test_the_area_is_the_mean_quality_over_the_span_of_cost(points, area) -> None:
    assert area_ppm([CurvePoint(0, cost, quality) for cost, quality in points]) == area


@given(POINTS)
def test_the_area_lies_between_the_worst_and_the_best_quality(points) -> None:
    area = area_ppm(points)
    assert area is not None
    assert min(p.quality_ppm for p in points) <= area <= max(p.quality_ppm for p in points)


@given(POINTS, st.integers(2, 50))
def test_the_area_does_not_depend_on_the_unit_of_cost(points, factor) -> None:
    scaled = [CurvePoint(0, point.cost_micro_usd * factor, point.quality_ppm) for point in points]
    assert area_ppm(scaled) == area_ppm(points)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=2, max_size=8, unique_by=lambda p: p[0])
)
def test_the_area_is_that_of_exact_fractions(pairs) -> None:
    ordered = sorted(pairs)
    doubled = sum(Fraction((x2 - x1) * (y1 + y2)) for (x1, y1), (x2, y2) in pairwise(ordered))
    exact = doubled / (2 * (ordered[-1][0] - ordered[0][0]))
    assert abs(area_ppm([CurvePoint(0, x, y) for x, y in pairs]) - exact) <= Fraction(1, 2)
