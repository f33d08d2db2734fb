"""The window: which events belong to it, and which windows there may be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dashboard_fakes import NOON
from hypothesis import given
from hypothesis import strategies as st

from dashboard_service.domain.window import Window, start_of_day, window_of, zone_of
from shared.errors import InvalidInput

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia", "Africa/Cairo",
     "Australia/Lord_Howe", "Asia/Beirut", "America/Havana", "Pacific/Kiritimati"]
)  # fmt: skip
MINUTES = st.integers(-5_000, 5_000)
LENGTHS = st.integers(0, 3_000)


def _at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@given(MINUTES, st.integers(1, 3_000), MINUTES, LENGTHS)
def test_a_span_overlaps_exactly_when_the_two_share_a_minute(w: int, w_len: int, e: int, e_len: int) -> None:
    window = Window(_at(w), _at(w + w_len), ZoneInfo("UTC"))
    shared = range(max(w, e), min(w + w_len, e + max(e_len, 1)))
    assert window.overlaps(_at(e), _at(e + e_len)) == (len(shared) > 0)


@given(MINUTES, st.integers(2, 3_000), st.data(), MINUTES, LENGTHS)
def test_an_event_is_in_a_window_exactly_when_it_is_in_one_of_its_halves(
    w: int, w_len: int, data: st.DataObject, e: int, e_len: int
) -> None:
    middle = w + data.draw(st.integers(1, w_len - 1))
    whole, left, right = (
        Window(_at(a), _at(b), ZoneInfo("UTC")).overlaps(_at(e), _at(e + e_len))
        for a, b in ((w, w + w_len), (w, middle), (middle, w + w_len))
    )
    assert whole == (left or right)


@given(st.dates(date(1950, 1, 1), date(2150, 1, 1)), ZONES)
def test_a_day_begins_at_its_first_moment(day: date, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    begin = start_of_day(day, zone)
    assert begin.tzinfo is UTC
    assert begin.astimezone(zone).date() >= day
    assert (begin - timedelta(seconds=1)).astimezone(zone).date() < day


@given(st.dates(date(1950, 1, 1), date(2150, 1, 1)), ZONES)
def test_days_follow_each_other_without_gap_whatever_clocks_do(day: date, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    length = start_of_day(day + timedelta(days=1), zone) - start_of_day(day, zone)
    # A day that was skipped (Samoa, 2011-12-30) has no length; none is longer than 25 hours but for odd years.
    assert timedelta(0) <= length <= timedelta(hours=26)


def test_the_day_of_a_change_of_clocks_has_23_or_25_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    spring = start_of_day(date(2026, 3, 30), zone) - start_of_day(date(2026, 3, 29), zone)
    autumn = start_of_day(date(2026, 10, 26), zone) - start_of_day(date(2026, 10, 25), zone)
    assert (spring, autumn) == (timedelta(hours=23), timedelta(hours=25))


def test_an_empty_window_is_the_coming_week_in_utc() -> None:
    assert window_of(None, None, "", NOON) == Window(NOON, NOON + timedelta(days=7), ZoneInfo("UTC"))


def test_a_window_without_end_is_a_week_from_its_start() -> None:
    start = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
    window = window_of(start, None, "Asia/Tokyo", NOON)
    assert window.start.tzinfo is UTC
    assert window.end - window.start == timedelta(days=7)


def test_a_window_may_have_366_days() -> None:
    assert window_of(NOON, NOON + timedelta(days=366), "", NOON).end == NOON + timedelta(days=366)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        (NOON, NOON, "end_time"),
        (NOON, NOON - timedelta(seconds=1), "end_time"),
        (NOON, NOON + timedelta(days=366, microseconds=1), "end_time"),
        (None, NOON, "end_time"),
        (datetime(1, 1, 1, tzinfo=UTC), None, "start_time"),
        (datetime(9999, 12, 31, tzinfo=UTC), None, "start_time"),
        (NOON, datetime(9999, 12, 31, tzinfo=UTC), "end_time"),
    ],
)
def test_a_wrong_window_is_refused_with_the_field(start: datetime | None, end: datetime | None, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        window_of(start, end, "", NOON)
    assert caught.value.reason == "WINDOW_INVALID"
    assert [v.field for v in caught.value.violations] == [field]


@pytest.mark.parametrize(
    "name",
    ["Europe/Atlantis", "Europe", "../../etc/passwd", "/etc/passwd", "x" * 64, "Europe/Berlin ", "é", "a\0b", "."],
)
def test_an_unknown_time_zone_is_refused_with_the_field(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        zone_of(name)
    assert caught.value.reason == "TIME_ZONE_UNKNOWN"
    assert [v.field for v in caught.value.violations] == ["time_zone"]
