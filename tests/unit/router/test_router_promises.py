"""Promises against measurements, and how measurements are rounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.domain.contracts.contract import PPM, Guarantees
from provider_router.domain.contracts.promises import broken_promises
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.traffic.rounding import rounded, rounded_load, to_digits

PROMISED = Guarantees(first_token_p50_ms=400, first_token_p95_ms=1000, tokens_per_second=100, availability_ppm=990_000)
KEPT = Measured(100, PPM, 400, 1000, 100)


@pytest.mark.parametrize(
    ("measured", "broken"),
    [
        (KEPT, ()),
        (Measured(100, PPM, 500, 1250, 80), ()),
        (Measured(100, PPM, 501, 1251, 79), ("first_token_p50_ms", "first_token_p95_ms", "tokens_per_second")),
        (Measured(19, 0, 9000, 9000, 1), ()),  # too few calls
        (Measured(20, PPM, 0, 0, 0), ()),  # nothing was measured of time
        (Measured(100, 980_000, 1, 1, 999), ()),  # twice what it allows
        (Measured(100, 970_000, 1, 1, 999), ("availability_ppm",)),
        (Measured(30, 933_333, 1, 1, 999), ()),  # 6.7 %, but two failures are no proof
        (Measured(30, 900_000, 1, 1, 999), ("availability_ppm",)),
    ],
)
def test_when_a_promise_breaks(measured: Measured, broken: tuple[str, ...]) -> None:
    assert broken_promises(PROMISED, measured) == broken


@pytest.mark.parametrize(
    ("measured", "broken"),
    [
        (Measured(100, PPM, 441, 1101, 89), ("first_token_p50_ms", "first_token_p95_ms", "tokens_per_second")),
        (Measured(100, PPM, 440, 1100, 90), ()),
        (Measured(100, 989_000, 400, 1000, 100), ("availability_ppm",)),
        (Measured(100, 990_000, 400, 1000, 100), ()),
        (Measured(19, 0, 9000, 9000, 1), ()),
    ],
)
def test_when_a_broken_promise_is_kept_again(measured: Measured, broken: tuple[str, ...]) -> None:
    before = ("first_token_p50_ms", "first_token_p95_ms", "tokens_per_second", "availability_ppm")
    assert broken_promises(PROMISED, measured, before) == broken


def test_who_promises_nothing_breaks_nothing() -> None:
    assert broken_promises(Guarantees(), Measured(100, 0, 99_999, 99_999, 1)) == ()


MEASURED = st.builds(
    Measured,
    st.integers(0, 10**6),
    st.integers(0, PPM),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(0, 10**5),
)


@given(MEASURED)
def test_rounding_keeps_two_digits(measured: Measured) -> None:
    result = rounded(measured)
    assert rounded(result) == result
    assert 0 <= result.calls <= measured.calls
    assert measured.success_ppm <= result.success_ppm <= PPM
    for name in ("first_token_p50_ms", "first_token_p95_ms", "tokens_per_second"):
        exact, cut = getattr(measured, name), getattr(result, name)
        assert exact * 9 // 10 <= cut <= exact
        assert len(str(cut).rstrip("0")) <= 2


def test_what_rounding_does() -> None:
    assert [to_digits(value, 2) for value in (0, 7, 99, 101, 1987)] == [0, 7, 99, 100, 1900]
    assert rounded(Measured(1987, 998_765, 1234, 99, 101)) == Measured(1000, 998_800, 1200, 99, 100)
    assert [rounded_load(load) for load in (0, 99_999, 100_000, PPM)] == [0, 0, 100_000, PPM]
