"""Whatever bytes come in, a file is read or refused; nothing else happens."""

from __future__ import annotations

from dashboard_fakes import calendar, vevent, window
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard_service.adapters.calendar_parser_icalendar import expanded, parsed
from dashboard_service.adapters.calendar_parser_wire import event_from_wire, event_to_wire
from dashboard_service.adapters.calendar_parser_worker import processor_time
from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.errors import CalendarInvalid

RICH = calendar(
    vevent(
        "DTSTART;TZID=Europe/Berlin:20261101T090000\nDTEND;TZID=Europe/Berlin:20261101T093000\nSUMMARY:Stand-up\n"
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20271231T000000Z\nEXDATE;TZID=Europe/Berlin:20261123T090000\nSEQUENCE:2",
        "s",
    ),
    vevent(
        "RECURRENCE-ID;TZID=Europe/Berlin:20261125T090000\nDTSTART:20261125T110000Z\nDURATION:PT1H\nSTATUS:CONFIRMED",
        "s",
    ),
    "DTSTART;VALUE=DATE:20261121\nDTEND;VALUE=DATE:20261123\nLOCATION:Hill\nCATEGORIES:a,b",
    "DTSTART:20261121T100000\nRDATE;VALUE=PERIOD:20261122T100000Z/PT1H\nBEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM",
    head="X-WR-TIMEZONE:Asia/Tokyo\nBEGIN:VTIMEZONE\nTZID:Ours\nBEGIN:STANDARD\nDTSTART:19701025T030000\n"
    "TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE",
)
LINES = RICH.split(b"\r\n")
TOKENS = st.sampled_from(
    b"""BEGIN:VEVENT
END:VEVENT
RRULE:FREQ=DAILY;BYSETPOS=-1
RRULE:FREQ=MONTHLY;BYMONTHDAY=-31;COUNT=-5
DTSTART:99991231T235959Z
DTSTART;VALUE=DATE:00010101
DTSTART;VALUE=TIME:100000
DTSTART;TZID=Ours:20261121T100000
DTSTART;TZID=/x/Europe/Berlin:20261121T100000
DTEND:00010101T000000
DURATION:P9999999D
EXDATE:,,
RDATE:
RDATE;VALUE=PERIOD:20261122T100000Z/20251122T100000Z
RECURRENCE-ID;RANGE=THISANDFUTURE:20261125T090000
SEQUENCE:x
UID:
CALSCALE:JULIAN
TZID:Ours
DTSTART;TZID=Europe:20261121T100000
EXDATE;TZID=America/:20261121T100000
 x
:""".splitlines()
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(LINES) - 1), st.one_of(st.none(), TOKENS, st.binary(max_size=12), st.integers(0, 60))),
    min_size=1,
    max_size=5,
)
PATIENT = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def mutated(edits: list[tuple[int, bytes | int | None]]) -> bytes:
    """Return the file with lines dropped, replaced, added to, or with a byte changed."""
    lines = list(LINES)
    for place, edit in edits:
        line = lines[place]
        if edit is None:
            lines[place] = b""
        elif isinstance(edit, int):
            at = min(edit, len(line))
            lines[place] = line[:at] + bytes([edit + 33]) + line[at + 1 :]
        else:
            lines[place] = line + b"\r\n" + edit
    return b"\r\n".join(lines)


def read(ics: bytes) -> tuple[CalendarEvent, ...]:
    try:
        found = parsed(ics, processor_time)
    except CalendarInvalid:
        return ()
    return expanded(found, window(days=30), "cal", processor_time).events


@given(st.binary(max_size=300))
@PATIENT
def test_random_bytes_are_read_or_refused(ics: bytes) -> None:
    assert read(ics) == ()


@given(st.lists(st.sampled_from(LINES), max_size=30))
@PATIENT
def test_lines_in_any_order_are_read_or_refused(lines: list[bytes]) -> None:
    body = b"\r\n".join(lines)
    for ics in (body, b"BEGIN:VCALENDAR\r\n" + body + b"\r\nEND:VCALENDAR"):
        assert all(window(days=30).overlaps(e.start, e.end) for e in read(ics))


@given(EDITS)
@example([(0, b"RRULE:FREQ=YEARLY;INTERVAL=0")])
@PATIENT
def test_a_damaged_file_is_read_or_refused(edits: list[tuple[int, bytes | int | None]]) -> None:
    events = read(mutated(edits))
    assert all(window(days=30).overlaps(e.start, e.end) for e in events)
    # What was read can be told to the service and is the same there.
    assert [event_from_wire(event_to_wire(e), "cal") for e in events] == list(events)


def test_the_undamaged_file_is_read() -> None:
    assert [e.title for e in read(RICH)].count("Stand-up") == 6
    assert len(read(RICH)) == 10
