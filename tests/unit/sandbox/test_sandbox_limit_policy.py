from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.domain.limits import LEAST_MEMORY_BYTES, LimitPolicy, RunLimits
from shared.errors import InvalidInput

DEFAULTS = RunLimits(10.0, 256 << 20, 64, 256 << 10)
CEILINGS = RunLimits(60.0, 1 << 30, 256, 8 << 20)
POLICY = LimitPolicy(DEFAULTS, CEILINGS)
FIELDS = ("wall_time_s", "memory_bytes", "processes", "output_bytes")

wanted = st.builds(
    RunLimits,
    st.floats(0, 400, allow_nan=False),
    st.integers(0, 1 << 40),
    st.integers(0, 1 << 20),
    st.integers(0, 1 << 40),
)


def test_nothing_asked_for_means_the_defaults() -> None:
    assert POLICY.granted(RunLimits(0, 0, 0, 0)) == DEFAULTS


@given(wanted)
def test_a_grant_is_what_was_asked_for_and_within_the_ceilings(asked: RunLimits) -> None:
    try:
        granted = POLICY.granted(asked)
    except InvalidInput:
        beyond = any(getattr(asked, name) > getattr(CEILINGS, name) for name in FIELDS)
        assert beyond or asked.memory_bytes < LEAST_MEMORY_BYTES or asked.wall_time_s < 0.001
        return
    for name in FIELDS:
        value, most = getattr(granted, name), getattr(CEILINGS, name)
        assert value == (getattr(asked, name) or getattr(DEFAULTS, name))
        assert 0 < value <= most
    assert granted.memory_bytes >= LEAST_MEMORY_BYTES


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (RunLimits(61, 0, 0, 0), ["limits.wall_time"]),
        (RunLimits(0, (1 << 30) + 1, 0, 0), ["limits.memory_bytes"]),
        (RunLimits(0, 1, 0, 0), ["limits.memory_bytes"]),
        (RunLimits(0, 0, 257, 0), ["limits.processes"]),
        (RunLimits(99, 0, 0, 9 << 20), ["limits.wall_time", "limits.output_bytes"]),
    ],
)
def test_each_limit_out_of_range_is_named(asked: RunLimits, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        POLICY.granted(asked)
    assert [v.field for v in caught.value.violations] == fields
    assert all(v.description in caught.value.message for v in caught.value.violations)
