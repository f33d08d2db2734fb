"""The context: many sources' events as one ordered list without doubles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dashboard_fakes import NOON, event
from hypothesis import given
from hypothesis import strategies as st

from dashboard_service.domain.calendar_event import CalendarEvent, clipped, one_line
from dashboard_service.domain.context import MAX_EVENTS, MAX_TEXT_BYTES, assembled, fitting, merged
from dashboard_service.domain.source import SourceStatus

EVENTS = st.builds(
    lambda uid, title, minutes, length: event(uid, title, NOON + timedelta(minutes=minutes), length),
    st.sampled_from("abcd"),
    st.sampled_from(["", "x", "y"]),
    st.integers(-3, 3),
    st.integers(0, 3),
)
PARTS = st.lists(st.lists(EVENTS, max_size=8), max_size=4)


@given(PARTS)
def test_merged_events_are_in_order_and_each_once(parts: list[list[CalendarEvent]]) -> None:
    events = merged(parts)
    assert events == sorted(events, key=lambda e: (e.start, e.title, e.uid))
    keys = [(e.uid, e.start) for e in events]
    assert len(keys) == len(set(keys))
    assert set(keys) == {(e.uid, e.start) for part in parts for e in part}


@given(PARTS)
def test_merging_again_changes_nothing(parts: list[list[CalendarEvent]]) -> None:
    assert merged([merged(parts)]) == merged(parts)


@given(PARTS)
def test_the_earlier_part_wins(parts: list[list[CalendarEvent]]) -> None:
    first = {}
    for part in parts:
        for e in part:
            first.setdefault((e.uid, e.start), e)
    assert all(first[e.uid, e.start] is e for e in merged(parts))


@pytest.mark.parametrize(("count", "kept"), [(0, 0), (MAX_EVENTS, MAX_EVENTS), (MAX_EVENTS + 1, MAX_EVENTS)])
def test_at_most_so_many_events_fit(count: int, kept: int) -> None:
    same = event()
    assert len(fitting([same] * count)) == kept


def test_at_most_so_much_text_fits() -> None:
    long = event(description="é" * 2_000)
    kept = fitting([long] * 2_000)
    assert sum(e.text_size_bytes for e in kept) <= MAX_TEXT_BYTES
    assert (len(kept) + 1) * long.text_size_bytes > MAX_TEXT_BYTES


def test_a_source_that_lost_events_is_marked_and_others_are_not() -> None:
    many = [event(f"m{n}", calendar="many", start=NOON + timedelta(minutes=n)) for n in range(MAX_EVENTS)]
    late = event("late", calendar="late", start=NOON + timedelta(days=30))
    context = assembled(
        [
            (SourceStatus("icalendar_file", "many"), many),
            (SourceStatus("icalendar_file", "late"), [late]),
            (SourceStatus("icalendar_url", stale=True, error="down"), []),
        ],
        NOON,
    )
    assert [(s.source, s.stale, bool(s.error)) for s in context.sources] == [
        ("late", True, True),
        ("many", False, False),
        ("", True, True),
    ]
    assert len(context.events) == MAX_EVENTS


def test_sources_are_in_order_of_adapter_and_name() -> None:
    statuses = [SourceStatus("b", "2"), SourceStatus("a", "9"), SourceStatus("b", "1")]
    context = assembled([(s, ()) for s in statuses], NOON)
    assert [(s.adapter, s.source) for s in context.sources] == [("a", "9"), ("b", "1"), ("b", "2")]
    assert context.created_at == NOON


@pytest.mark.parametrize(
    "broken",
    [
        {"start": datetime(2026, 1, 1), "end": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"start": datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), "end": NOON},
        {"start": NOON, "end": NOON - timedelta(seconds=1)},
        {"start": NOON, "end": NOON, "uid": ""},
    ],
)
def test_an_event_that_cannot_be_is_not_made(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="event"):
        CalendarEvent(**{"uid": "u", "title": "t", **broken})


@given(st.text(max_size=80), st.integers(1, 40))
def test_clipped_text_keeps_its_limit_and_has_no_control_characters(text: str, limit: int) -> None:
    kept = clipped(text, limit)
    assert len(kept) <= limit
    assert not any(c < " " and c not in "\n\t" for c in kept)
    line = one_line(text, limit)
    assert len(line) <= limit
    assert "\n" not in line


def test_a_cut_is_marked() -> None:
    assert clipped("abcdef", 4) == "abc…"
    assert clipped("abcd", 4) == "abcd"
    assert one_line(" a\r\n  b\tc ", 40) == "a b c"


def test_events_of_an_hour_that_runs_twice_are_in_the_order_in_which_they_happen() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 45, tzinfo=berlin).astimezone(UTC)
    second = datetime(2026, 10, 25, 2, 15, tzinfo=berlin, fold=1).astimezone(UTC)
    assert [e.uid for e in merged([[event("later", start=second)], [event("sooner", start=first)]])] == [
        "sooner",
        "later",
    ]
