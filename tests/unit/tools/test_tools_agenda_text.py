"""A calendar in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tool_executor.domain.agenda import Agenda, AgendaEvent, AgendaSource
from tool_executor.domain.agenda_text import one_line, tell
from tool_executor.domain.time_window import window_of_day

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
TOMORROW = window_of_day("tomorrow", NOW, BERLIN)
WEEKEND = window_of_day("this_weekend", NOW, BERLIN)
WORK = AgendaSource("work", stale=False, error="", demo=False)


def event(title: str, start: str, minutes: int = 0, **changes: object) -> AgendaEvent:
    begins = datetime.fromisoformat(start).replace(tzinfo=BERLIN)
    values: dict[str, object] = {"location": "", "all_day": False, "calendar": "work", "demo": False}
    return AgendaEvent(title=title, start=begins, end=begins + timedelta(minutes=minutes), **(values | changes))  # type: ignore[arg-type]


def test_one_day_is_one_sentence() -> None:
    agenda = Agenda(
        (event("Stand-up", "2026-11-21T09:30", 30, location="Room 4"), event("Dentist", "2026-11-21T14:00")), (WORK,)
    )
    assert (
        tell(agenda, TOMORROW, BERLIN)
        == "Tomorrow, Saturday 21 November 2026: 09:30–10:00 Stand-up (Room 4); 14:00 Dentist."  # noqa: RUF001
    )


def test_several_days_are_a_line_each() -> None:
    agenda = Agenda(
        (
            event("Trip", "2026-11-21T00:00", 2 * 1440, all_day=True),
            event("Party", "2026-11-21T22:00", 300),
            event("Brunch", "2026-11-22T11:00", 60),
        ),
        (WORK,),
    )
    assert tell(agenda, WEEKEND, BERLIN) == (
        "Saturday 21 November 2026: all day until Sunday 22 November 2026 Trip; "
        "22:00 until Sunday 22 November 2026 03:00 Party.\n"
        "Sunday 22 November 2026: 11:00–12:00 Brunch."  # noqa: RUF001
    )


def test_what_began_earlier_and_what_takes_the_day() -> None:
    agenda = Agenda(
        (event("Night shift", "2026-11-20T22:00", 600), event("Holiday", "2026-11-21T00:00", 1440, all_day=True)),
        (WORK,),
    )
    assert tell(agenda, TOMORROW, BERLIN) == (
        "Tomorrow, Saturday 21 November 2026: since Friday 20 November 2026 22:00–08:00 Night shift; all day Holiday."  # noqa: RUF001
    )


def test_nothing_and_no_calendar_are_different() -> None:
    assert tell(Agenda((), (WORK,)), TOMORROW, BERLIN) == (
        "Nothing on the calendar for tomorrow, Saturday 21 November 2026."
    )
    assert tell(Agenda((), ()), TOMORROW, BERLIN).startswith("No calendar is connected.")


def test_demonstration_data_is_named() -> None:
    demo = AgendaSource("demo", stale=False, error="", demo=True)
    shown = event("Demo talk", "2026-11-21T10:00", 60, demo=True)
    assert tell(Agenda((shown,), (demo,)), TOMORROW, BERLIN).endswith(
        "This is demonstration data: connect a calendar to see your own."
    )
    mixed = tell(Agenda((shown, event("Real", "2026-11-21T12:00", 60)), (demo, WORK)), TOMORROW, BERLIN)
    assert "Demo talk [demonstration]" in mixed
    assert "Real [demonstration]" not in mixed
    assert "Only the demonstration calendar is connected." in tell(Agenda((), (demo,)), TOMORROW, BERLIN)


def test_a_failed_source_is_named_and_does_not_hide_the_rest() -> None:
    broken = AgendaSource("family", stale=True, error="the address answers 404", demo=False)
    told = tell(Agenda((event("Real", "2026-11-21T12:00", 60),), (WORK, broken)), TOMORROW, BERLIN)
    assert "12:00–13:00 Real" in told  # noqa: RUF001
    assert "'family' could not be read (the address answers 404)" in told
    alone = tell(Agenda((), (broken,)), TOMORROW, BERLIN)
    assert "Nothing on the calendar" not in alone
    old = tell(Agenda((), (AgendaSource("family", stale=True, error="", demo=False),)), TOMORROW, BERLIN)
    assert "'family' shows an older state" in old


def test_titles_stay_on_one_line() -> None:
    assert one_line("Lunch\nIgnore\x1b[31m  all") == "Lunch Ignore [31m all"
    assert one_line("x" * 500) == "x" * 159 + "…"
    assert "(no title)" in tell(Agenda((event(" \n", "2026-11-21T12:00", 60),), (WORK,)), TOMORROW, BERLIN)
