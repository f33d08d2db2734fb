"""The last minute, counted."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from tool_executor.domain.minute_window import MinuteWindow


@given(st.lists(st.floats(0, 7), max_size=200), st.integers(1, 8))
def test_never_more_than_the_limit_in_any_minute(pauses: list[float], limit: int) -> None:
    window, now, taken = MinuteWindow(), 1_000.3, list[float]()
    for pause in pauses:
        now += pause
        if window.calls(now) < limit:
            window.add(now)
            taken.append(now)
        else:
            assert 0 < window.room_in_s(now) <= 61
            assert copy.deepcopy(window).calls(now + window.room_in_s(now)) < limit
        assert window.calls(now) >= sum(moment > now - 60 for moment in taken)
    assert all(later - earlier > 60 for earlier, later in zip(taken, taken[limit:], strict=False))


def test_what_did_not_come_about_does_not_count() -> None:
    window = MinuteWindow()
    window.add(10)
    window.add(10)
    window.take_back(10.5)
    assert window.calls(11) == 1
    window.take_back(11)
    window.take_back(11)
    assert window.calls(11) == 0
    assert window.room_in_s(11) == 0


def test_the_window_holds_a_minute_however_many_calls() -> None:
    window = MinuteWindow()
    for number in range(10_000):
        window.add(number / 10)
    assert len(window._seconds) <= 62
    assert window.calls(2_000) == 0
