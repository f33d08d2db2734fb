"""Windows of time, seen from Friday 20 November 2026, 12:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_executor.domain.time_window import DAYS, window_between, window_of_day
from tool_executor.domain.time_zones import zone_of
from tool_executor.domain.tool_call import ToolFailure, ToolStatus

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "start", "end", "label"),
    [
        ("today", "2026-11-20", "2026-11-21", "today, Friday 20 November 2026"),
        ("tomorrow", "2026-11-21", "2026-11-22", "tomorrow, Saturday 21 November 2026"),
        ("yesterday", "2026-11-19", "2026-11-20", "yesterday, Thursday 19 November 2026"),
        ("friday", "2026-11-20", "2026-11-21", "Friday 20 November 2026"),
        ("monday", "2026-11-23", "2026-11-24", "Monday 23 November 2026"),
        ("this_week", "2026-11-16", "2026-11-23", "this week, Monday 16 November 2026 to Sunday 22 November 2026"),
        ("next_week", "2026-11-23", "2026-11-30", "next week, Monday 23 November 2026 to Sunday 29 November 2026"),
        ("2026-12-24", "2026-12-24", "2026-12-25", "Thursday 24 December 2026"),
        (
            "this_weekend",
            "2026-11-21",
            "2026-11-23",
            "this weekend, Saturday 21 November 2026 to Sunday 22 November 2026",
        ),
    ],
)
def test_words_for_days(day: str, start: str, end: str, label: str) -> None:
    window = window_of_day(day, NOW, BERLIN)
    assert window.start.isoformat() == f"{start}T00:00:00+01:00"
    assert window.end.isoformat() == f"{end}T00:00:00+01:00"
    assert window.label == label
    assert window.one_day is (window.end - window.start == timedelta(days=1))


def test_the_day_is_the_callers_day() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert window_of_day("today", late, BERLIN).label == "today, Saturday 21 November 2026"
    assert window_of_day("today", late, ZoneInfo("UTC")).label == "today, Friday 20 November 2026"


def test_the_day_the_clocks_change_has_its_own_length() -> None:
    window = window_of_day("tomorrow", datetime(2026, 10, 24, 12, tzinfo=UTC), BERLIN)
    assert window.end.astimezone(UTC) - window.start.astimezone(UTC) == timedelta(hours=25)


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        ("", "", "2026-11-20T13:00:00+01:00", "2026-11-27T00:00:00+01:00"),
        ("2026-12-24", "", "2026-12-24T00:00:00+01:00", "2026-12-25T00:00:00+01:00"),
        ("2026-12-24T18:00", "", "2026-12-24T18:00:00+01:00", "2026-12-25T00:00:00+01:00"),
        ("2026-12-24", "2026-12-26", "2026-12-24T00:00:00+01:00", "2026-12-27T00:00:00+01:00"),
        ("2026-12-24T09:00Z", "2026-12-24T10:00+02:00", None, None),
        ("2026-12-24T09:00Z", "2026-12-24T14:00+02:00", "2026-12-24T10:00:00+01:00", "2026-12-24T13:00:00+01:00"),
        ("", "2026-11-20", "2026-11-20T13:00:00+01:00", "2026-11-21T00:00:00+01:00"),
        ("tomorrow", "", None, None),
        ("2026-02-30", "", None, None),
        ("2026-11-20", "2028-11-20", None, None),
        ("9999-12-31", "", None, None),
    ],
)
def test_moments_in_iso_8601(start: str, end: str, begins: str | None, ends: str | None) -> None:
    if begins is None:
        with pytest.raises(ToolFailure) as caught:
            window_between(start, end, NOW, BERLIN)
        assert caught.value.status is ToolStatus.INVALID_ARGUMENTS
    else:
        window = window_between(start, end, NOW, BERLIN)
        assert (window.start.isoformat(), window.end.isoformat()) == (begins, ends)


@pytest.mark.parametrize("day", ["someday", "2026-02-30", "9999-12-31", ""])
def test_an_unknown_day_names_the_known_ones(day: str) -> None:
    with pytest.raises(ToolFailure, match="this_weekend"):
        window_of_day(day, NOW, BERLIN)


@given(
    st.sampled_from(DAYS),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_every_window_is_whole_days_and_not_empty(day: str, now: datetime, zone: str) -> None:
    window = window_of_day(day, now, ZoneInfo(zone))
    assert window.start < window.end
    assert (window.start.hour, window.end.hour) == (0, 0)
    assert abs(window.start - now) < timedelta(days=15)


@pytest.mark.parametrize("name", ["Mars/X", "../etc/passwd", "Europe", "/etc", "a\0b", "x" * 300])
def test_names_that_are_no_zone(name: str) -> None:
    assert zone_of(name) is None


def test_no_name_is_utc() -> None:
    zone = zone_of("")
    assert zone is not None
    assert zone.key == "UTC"
