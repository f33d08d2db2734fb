"""iCalendar files read: what stands in them, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dashboard_fakes import calendar, unguarded, vevent, window
from hypothesis import given
from hypothesis import strategies as st

from dashboard_service.adapters.calendar_parser_icalendar import expanded, parsed
from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.domain.window import Window, start_of_day
from dashboard_service.ports.calendar_parser import Expansion

OWN_ZONE = """BEGIN:VTIMEZONE
TZID:{tzid}
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:{offset}
TZOFFSETTO:{offset}
END:STANDARD
END:VTIMEZONE"""


def read(ics: bytes, within: Window) -> Expansion:
    return expanded(parsed(ics, unguarded), within, "cal", unguarded)


def starts(ics: bytes, within: Window) -> list[str]:
    return [e.start.strftime("%m-%dT%H:%MZ") for e in read(ics, within).events]


def only(ics: bytes, within: Window) -> CalendarEvent:
    (found,) = read(ics, within).events
    return found


def test_all_that_an_event_says_is_read() -> None:
    found = only(
        calendar(
            vevent(
                "DTSTART:20261121T100000Z\nDTEND:20261121T113000Z\nSUMMARY:Plan\\, and talk\nLOCATION:Room\\n2\n"
                "DESCRIPTION:one\\ntwo",
                uid="abc",
            )
        ),
        window(),
    )
    assert (found.uid, found.title, found.location, found.description) == (
        "abc",
        "Plan, and talk",
        "Room 2",
        "one\ntwo",
    )
    assert (found.start, found.end) == (
        datetime(2026, 11, 21, 10, tzinfo=UTC),
        datetime(2026, 11, 21, 11, 30, tzinfo=UTC),
    )
    assert (found.all_day, found.recurring, found.calendar, found.demo) == (False, False, "cal", False)


def test_folded_lines_bom_and_bare_newlines_are_read() -> None:
    ics = (
        b"\xef\xbb\xbf" + calendar("DTSTART:20261121T100000Z\nSUMMARY:A long\n  line").replace(b"\r\n", b"\n") + b"\n\n"
    )
    assert only(ics, window()).title == "A long line"


@pytest.mark.parametrize(
    ("zone", "start"), [("UTC", "11-21T10:00Z"), ("America/New_York", "11-21T15:00Z"), ("Asia/Kolkata", "11-21T04:30Z")]
)
def test_a_floating_time_is_meant_in_the_zone_asked_for(zone: str, start: str) -> None:
    assert starts(calendar("DTSTART:20261121T100000"), window(zone=zone)) == [start]


def test_a_time_with_a_zone_is_meant_in_that_zone() -> None:
    ics = calendar("DTSTART;TZID=Europe/Berlin:20261121T100000")
    assert starts(ics, window(zone="Asia/Tokyo")) == ["11-21T09:00Z"]


def test_a_windows_zone_name_is_understood() -> None:
    ics = calendar("DTSTART;TZID=W. Europe Standard Time:20261121T100000")
    assert starts(ics, window()) == ["11-21T09:00Z"]


def test_a_calendars_own_zone_is_understood() -> None:
    ics = calendar("DTSTART;TZID=Ours:20261121T100000", head=OWN_ZONE.format(tzid="Ours", offset="+0330"))
    assert starts(ics, window()) == ["11-21T06:30Z"]


@pytest.mark.parametrize(
    "tzid", ["Nowhere/Land", "../../../etc/passwd", "/etc/passwd", "Europe", "x" * 5_000, "a/b/c/d/e"]
)
def test_an_unknown_zone_is_taken_for_none(tzid: str) -> None:
    ics = calendar(f"DTSTART;TZID={tzid}:20261121T100000")
    assert starts(ics, window(zone="Asia/Tokyo")) == ["11-21T01:00Z"]


def test_one_files_own_zone_says_nothing_about_anothers() -> None:
    first = calendar("DTSTART;TZID=Ours:20261121T100000", head=OWN_ZONE.format(tzid="Ours", offset="+0330"))
    second = calendar("DTSTART;TZID=Ours:20261121T100000", head=OWN_ZONE.format(tzid="Ours", offset="-0500"))
    none = calendar("DTSTART;TZID=Ours:20261121T100000")
    assert [starts(ics, window()) for ics in (first, second, none)] == [
        ["11-21T06:30Z"],
        ["11-21T15:00Z"],
        ["11-21T10:00Z"],
    ]


def test_a_calendars_zone_for_all_its_times_is_understood() -> None:
    ics = calendar("DTSTART:20261121T100000", head="X-WR-TIMEZONE:Europe/Berlin")
    assert starts(ics, window(zone="Asia/Tokyo")) == ["11-21T09:00Z"]
    unknown = calendar("DTSTART:20261121T100000", head="X-WR-TIMEZONE:Europe")
    assert starts(unknown, window()) == ["11-21T10:00Z"]


def test_a_rule_keeps_its_local_time_over_a_change_of_clocks() -> None:
    ics = calendar("DTSTART;TZID=Europe/Berlin:20261023T100000\nRRULE:FREQ=DAILY;COUNT=4")
    assert starts(ics, window(start=datetime(2026, 10, 20, tzinfo=UTC), days=14)) == [
        "10-23T08:00Z",
        "10-24T08:00Z",
        "10-25T09:00Z",
        "10-26T09:00Z",
    ]


def test_exceptions_of_a_series_are_kept() -> None:
    series = vevent(
        "DTSTART:20261121T100000Z\nDURATION:PT1H\nSUMMARY:Daily\nRRULE:FREQ=DAILY;COUNT=5\nEXDATE:20261122T100000Z", "s"
    )
    moved = vevent("RECURRENCE-ID:20261123T100000Z\nDTSTART:20261123T150000Z\nSUMMARY:Moved", "s")
    off = vevent("RECURRENCE-ID:20261124T100000Z\nDTSTART:20261124T100000Z\nSTATUS:CANCELLED", "s")
    found = read(calendar(series, moved, off), window()).events
    assert [(e.start.day, e.start.hour, e.title) for e in found] == [
        (21, 10, "Daily"),
        (23, 15, "Moved"),
        (25, 10, "Daily"),
    ]
    assert all(e.recurring and e.uid == "s" for e in found)


def test_an_exception_without_its_series_stands_for_itself() -> None:
    ics = calendar("RECURRENCE-ID:20261123T100000Z\nDTSTART:20261123T150000Z")
    assert starts(ics, window()) == ["11-23T15:00Z"]


def test_cancelled_events_and_calendars_are_left_out() -> None:
    assert starts(calendar("DTSTART:20261121T100000Z\nSTATUS:cancelled"), window()) == []
    assert starts(calendar("DTSTART:20261121T100000Z", head="METHOD:CANCEL"), window()) == []


@pytest.mark.parametrize(
    ("body", "hours", "all_day"),
    [
        ("DTSTART:20261121T100000Z", 0, False),
        ("DTSTART:20261121T100000Z\nDURATION:PT90M", 1.5, False),
        ("DTSTART;VALUE=DATE:20261121", 24, True),
        ("DTSTART;VALUE=DATE:20261121\nDTEND;VALUE=DATE:20261121", 24, True),
        ("DTSTART;VALUE=DATE:20261121\nDTEND;VALUE=DATE:20261124", 72, True),
        ("DTSTART;VALUE=DATE:20261121\nDURATION:P2D", 48, True),
    ],
)
def test_the_end_of_an_event(body: str, hours: float, all_day) -> None:
    found = only(calendar(body), window())
    assert (found.end - found.start, found.all_day) == (timedelta(hours=hours), all_day)


@given(
    st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    st.integers(1, 4),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Beirut"]
    ),
    st.integers(-72, 72),
)
def test_a_whole_day_is_a_day_of_the_zone_asked_for(day: date, days: int, zone: str, hours: int) -> None:
    ics = calendar(
        f"DTSTART;VALUE=DATE:{day:%Y%m%d}\nDTEND;VALUE=DATE:{day + timedelta(days=days):%Y%m%d}\n"
        "RRULE:FREQ=WEEKLY;COUNT=1"
    )
    begin = start_of_day(day, ZoneInfo(zone))
    end = start_of_day(day + timedelta(days=days), ZoneInfo(zone))
    within = Window(begin + timedelta(hours=hours), begin + timedelta(hours=hours + 1), ZoneInfo(zone))
    found = read(ics, within).events
    assert [(e.start, e.end, e.all_day) for e in found] == ([(begin, end, True)] if within.overlaps(begin, end) else [])


def test_only_what_overlaps_the_window_is_given() -> None:
    ics = calendar("DTSTART:20261101T090000Z\nDURATION:PT2H\nRRULE:FREQ=DAILY")
    within = Window(datetime(2026, 11, 20, 10, tzinfo=UTC), datetime(2026, 11, 22, 9, tzinfo=UTC), ZoneInfo("UTC"))
    assert starts(ics, within) == ["11-20T09:00Z", "11-21T09:00Z"]


def test_an_event_without_uid_has_one_that_stays() -> None:
    ics = calendar(
        vevent("DTSTART:20261121T100000Z\nSUMMARY:A", None), vevent("DTSTART:20261121T100000Z\nSUMMARY:B", None)
    )
    first, second = read(ics, window()).events
    assert first.uid != second.uid
    assert [e.uid for e in read(ics, window()).events] == [first.uid, second.uid]


def test_several_calendars_in_one_file_are_read() -> None:
    ics = calendar("DTSTART:20261121T100000Z") + calendar("DTSTART:20261122T100000Z")
    assert starts(ics, window()) == ["11-21T10:00Z", "11-22T10:00Z"]


def test_more_occurrences_than_can_be_shown_are_cut_and_said() -> None:
    ics = calendar("DTSTART:20261101T000000Z\nRRULE:FREQ=HOURLY")
    found = read(ics, window(days=366))
    assert len(found.events) == 5_000
    assert "shorter window" in found.problem


UNUSABLE = [
    ("SUMMARY:no start", "no DTSTART"),
    ("DTSTART:tomorrow", "DTSTART cannot be read"),
    ("DTSTART:20261121T100000Z\nDTSTART:20261122T100000Z", "more than one DTSTART"),
    ("DTSTART;VALUE=PERIOD:20261121T100000Z/PT1H", "DTSTART"),
    ("DTSTART:20261121T100000Z\nDTEND:20261121T090000Z", "ends before"),
    ("DTSTART:20261121T100000Z\nDTEND:soon", "DTEND cannot be read"),
    ("DTSTART:20261121T100000Z\nDURATION:-PT1H", "ends before"),
    ("DTSTART:20261121T100000Z\nRRULE:FREQ=SECONDLY", "more often than every hour"),
    ("DTSTART:20261121T100000Z\nRRULE:FREQ=minutely;COUNT=3", "more often than every hour"),
    ("DTSTART:20261121T100000Z\nRRULE:INTERVAL=3", "no FREQ"),
    ("DTSTART:20261121T100000Z\nRRULE:FREQ=SOMETIMES", "RRULE"),
    ("DTSTART:20261121T100000Z\nRRULE:FREQ=DAILY;UNTIL=never", "RRULE"),
    ("DTSTART:20261121T100000Z\nEXDATE:never", "EXDATE cannot be read"),
    ("DTSTART:20261121T100000Z\nDURATION:P99999999D", "do not fit together"),
]


@pytest.mark.parametrize(("body", "why"), UNUSABLE)
def test_an_unusable_event_is_told_with_its_line_and_costs_only_itself(body: str, why: str) -> None:
    ics = calendar(body, "DTSTART:20261121T100000Z\nSUMMARY:Good")
    found = parsed(ics, unguarded)
    ((problem, line),) = found.problems
    assert why in problem
    assert line == 4
    shown = expanded(found, window(), "cal", unguarded)
    assert [e.title for e in shown.events] == ["Good"]
    assert shown.problem == "1 of its events cannot be read."


INVALID = [
    (b"", 1, "empty"),
    (b"\r\n\r\n", 1, "empty"),
    (b"hello", 1, "BEGIN:VCALENDAR is expected"),
    (b"<html>", 1, "BEGIN:VCALENDAR is expected"),
    (b"BEGIN:VEVENT\nEND:VEVENT", 1, "BEGIN:VCALENDAR is expected"),
    (b"BEGIN:VCALENDAR\n", 1, "no END:VCALENDAR"),
    (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR", 3, "END:VEVENT is expected"),
    (b"BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR", 3, "BEGIN:VCALENDAR is expected"),
    (b"BEGIN:VCALENDAR\nnonsense\nEND:VCALENDAR", 2, "NAME:value"),
    (b"BEGIN:VCALENDAR\n\xff\xfe\nEND:VCALENDAR", 2, "not UTF-8"),
    (b"BEGIN:VCALENDAR\n\nX:\0\nEND:VCALENDAR", 3, "NUL"),
    (b"BEGIN:VCALENDAR\n" + b"BEGIN:X\n" * 9, 9, "nested too deeply"),
    (calendar(*["DTSTART:20261121T100000Z"] * 5_001), None, "5001 events"),
    (b"BEGIN:VCALENDAR\n" + b"\n" * 200_001, None, "200000 lines"),
    (b"A" * (2 * 1024 * 1024 + 1), None, "2097153 bytes"),
]


@pytest.mark.parametrize(("ics", "line", "why"), INVALID, ids=[why for *_, why in INVALID])
def test_a_file_that_is_none_is_refused_with_the_line(ics: bytes, line: int | None, why: str) -> None:
    with pytest.raises(CalendarInvalid) as caught:
        parsed(ics, unguarded)
    assert caught.value.line == line
    assert why in caught.value.why
    assert caught.value.reason == "CALENDAR_INVALID"
    assert [v.field for v in caught.value.violations] == ["ics"]


def test_what_is_no_event_may_be_wrong() -> None:
    alarm = "BEGIN:VALARM\nTRIGGER:whenever\nnonsense\nEND:VALARM\n"
    task = "BEGIN:VTODO\nDUE:whenever\nBEGIN:VEVENT\nDTSTART:20261121T100000Z\nEND:VEVENT\nEND:VTODO"
    ics = calendar(
        f"DTSTART:20261121T100000Z\n{alarm}SUMMARY:Ours\n  too", head=f"X-OURS\n  :1\nREFRESH-INTERVAL:x\n{task}"
    )
    found = parsed(ics.replace(b"X-OURS\r\n  :1\r\n", b"X-OURS:a\r\n b\r\n"), unguarded)
    assert [e.title for e in expanded(found, window(), "cal", unguarded).events] == ["Ours too"]
    assert found.problems == []


@pytest.mark.parametrize("head", ["TZOFFSETTO:sometimes", "TZOFFSETTO:+0100\nRRULE:FREQ=NEVER", "DTSTART:x"])
def test_a_zone_that_cannot_be_read_is_refused(head: str) -> None:
    zone = f"BEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nTZOFFSETFROM:+0200\n{head}\nEND:STANDARD\nEND:VTIMEZONE"
    with pytest.raises(CalendarInvalid, match="VTIMEZONE"):
        parsed(calendar("DTSTART;TZID=Ours:20261121T100000", head=zone), unguarded)


def test_a_zone_as_outlook_writes_it_is_understood() -> None:
    zone = """BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""
    ics = calendar("DTSTART;TZID=Customized Time Zone:20261023T100000\nRRULE:FREQ=DAILY;COUNT=4", head=zone)
    within = window(start=datetime(2026, 10, 20, tzinfo=UTC), days=14)
    assert starts(ics, within) == ["10-23T08:00Z", "10-24T08:00Z", "10-25T09:00Z", "10-26T09:00Z"]


def test_an_empty_calendar_is_a_calendar() -> None:
    assert read(calendar(), window()) == Expansion(())
