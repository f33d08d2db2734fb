"""The sliding window: its error bound, its sliding, and its memory."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.traffic.call_window import (
    CallWindow,
    cell_of,
    measured_together,
    middle_of,
    tokens_per_second,
)

TIMES = st.lists(st.integers(0, 600_000), min_size=1, max_size=200)


def nearest_rank(values: list[int], percent: int) -> int:
    ordered = sorted(values)
    rank = -(-len(values) * percent // 100)
    return ordered[rank - 1]


@given(st.integers(0, (1 << 24) - 1))
def test_the_middle_of_a_cell_is_at_most_a_thirtysecond_away(value: int) -> None:
    assert abs(Fraction(middle_of(cell_of(value))) - value) <= Fraction(value, 32)


def test_cells_are_in_order_and_few() -> None:
    values = [*range(5000), *range(5000, 1 << 24, 997), (1 << 24) - 1, 1 << 60]
    cells = [cell_of(value) for value in values]
    assert cells == sorted(cells)
    assert len(set(cells)) <= 336
    assert max(cells) == 335
    assert cell_of(-5) == 0


@settings(max_examples=50)
@given(TIMES)
def test_quantiles_are_within_their_bound(times: list[int]) -> None:
    window = CallWindow()
    for time in times:
        window.add(0.0, good=True, first_token_ms=time, speed=time)
    measured = window.measured(0.0)
    for percent, estimate in ((50, measured.first_token_p50_ms), (95, measured.first_token_p95_ms)):
        exact = nearest_rank(times, percent)
        assert abs(Fraction(estimate) - exact) <= Fraction(exact, 32)
    assert measured.tokens_per_second == measured.first_token_p50_ms


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(0, 5000)), max_size=60))
def test_it_holds_exactly_the_calls_of_its_last_slices(calls: list[tuple[int, bool, int]]) -> None:
    window, now, history = CallWindow(slice_s=10, slices=3), 0, []
    for wait_s, good, time in calls:
        now += wait_s
        window.add(float(now), good=good, first_token_ms=time)
        history.append((now, good, time))
        kept = [(good, time) for at, good, time in history if at // 10 > now // 10 - 3]
        measured = window.measured(float(now))
        assert measured.calls == len(kept)
        assert measured.success_ppm == sum(good for good, _ in kept) * PPM // len(kept)
        assert cell_of(measured.first_token_p50_ms) == cell_of(nearest_rank([time for _, time in kept], 50))
    assert window.measured(now + 100.0) == Measured()


def test_windows_of_several_deployments_are_one_population() -> None:
    left, right = CallWindow(), CallWindow()
    for _ in range(3):
        left.add(0.0, good=True, first_token_ms=100)
    right.add(0.0, good=False)
    right.add(0.0, good=True, first_token_ms=2000, speed=30)
    both = measured_together((left, right), 0.0)
    assert (both.calls, both.success_ppm) == (5, 800_000)
    assert both.first_token_p50_ms == middle_of(cell_of(100))
    assert both.first_token_p95_ms == middle_of(cell_of(2000))
    assert both.tokens_per_second == 30
    # Putting them together changes neither.
    assert left.measured(0.0).calls == 3
    assert right.measured(0.0).calls == 2


def test_memory_does_not_grow_with_calls() -> None:
    window = CallWindow(slice_s=1, slices=5)
    for index in range(20_000):
        window.add(index / 100, good=True, first_token_ms=(index * 7919) % 600_000, speed=index % 900)
    assert len(window._steps) <= 5
    assert len(window._total.first_token) <= 336
    assert sum(window._total.first_token.values()) == window._total.calls
    assert min(window._total.first_token.values()) > 0


@pytest.mark.parametrize(
    ("tokens", "first_ms", "whole_ms", "speed"),
    [
        (101, 500, 1500, 100),
        (8, 0, 1000, 7),
        (7, 0, 1000, None),  # too short to tell
        (100, None, 1000, None),  # no first piece
        (100, 1000, 1000, None),  # came in one piece
    ],
)
def test_speed_counts_from_the_first_token(tokens: int, first_ms: int | None, whole_ms: int, speed: object) -> None:
    assert tokens_per_second(tokens, first_ms, whole_ms) == speed
