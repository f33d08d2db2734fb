from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.domain.calls.embedding import unit_vectors
from shared.errors import UpstreamDown

NUMBER = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-6)
VECTORS = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.lists(NUMBER, min_size=size, max_size=size).filter(any), min_size=1, max_size=5)
)


@given(VECTORS)
def test_vectors_keep_their_direction_and_get_unit_length(vectors: list[list[float]]) -> None:
    for before, after in zip(vectors, unit_vectors(vectors, len(vectors), 0), strict=True):
        assert math.isclose(math.hypot(*after), 1.0, rel_tol=1e-9)
        scale = math.hypot(*before)
        assert all(math.isclose(a * scale, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize(
    ("vectors", "count", "dimensions"),
    [
        ([[1.0]], 2, 0),
        ([], 1, 0),
        ([[1.0], [1.0]], 1, 0),
        ([[1.0, 2.0], [1.0]], 2, 0),
        ([[1.0, 2.0]], 1, 3),
        ([[]], 1, 0),
        ([[0.0, 0.0]], 1, 0),
        ([[math.nan, 1.0]], 1, 0),
        ([[math.inf, 1.0]], 1, 0),
    ],
)
def test_what_is_not_asked_for_is_refused(vectors: list[list[float]], count: int, dimensions: int) -> None:
    with pytest.raises(UpstreamDown) as caught:
        unit_vectors(vectors, count, dimensions)
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"
