"""What every calendar parser does; and what the one in a process of its own survives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import psutil
import pytest
from dashboard_fakes import DAILY, LUNCH, InlineParser, calendar, window

from dashboard_service.adapters import calendar_parser_process
from dashboard_service.adapters.calendar_parser_fair import FairCalendarParser
from dashboard_service.adapters.calendar_parser_process import ProcessCalendarParser
from dashboard_service.domain.errors import CalendarInvalid
from dashboard_service.ports.calendar_parser import CalendarParser
from shared.auth.context import acting_as
from shared.errors import UpstreamDown
from shared.testing.harness import principal
from shared.worker import WorkerCommand

BAD_EVENT = calendar("DTSTART:20261121T100000Z\nSUMMARY:Good", "SUMMARY:bad")
FOR_EVER = [
    "RRULE:FREQ=DAILY;INTERVAL=0",
    "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
]


@pytest.fixture
async def process() -> AsyncIterator[ProcessCalendarParser]:
    parser = ProcessCalendarParser(workers=1)
    yield parser
    await parser.stop()
    assert [c.cmdline() for c in psutil.Process().children() if "calendar_parser_worker" in " ".join(c.cmdline())] == []


@pytest.fixture(params=["inline", "process", "fair"])
def parser(request: pytest.FixtureRequest) -> Iterator[CalendarParser]:
    made = InlineParser() if request.param == "inline" else request.getfixturevalue("process")
    with acting_as(principal()):
        yield FairCalendarParser(made) if request.param == "fair" else made


async def test_events_are_counted_a_series_once(parser: CalendarParser) -> None:
    assert await parser.count(DAILY) == 1
    assert await parser.count(calendar("DTSTART:20261121T100000Z", "DTSTART:20261122T100000Z")) == 2
    assert await parser.count(calendar()) == 0


async def test_occurrences_are_given_as_of_the_calendar(parser: CalendarParser) -> None:
    found = await parser.expand(DAILY, window(days=3), "work")
    assert [(e.title, e.start.day, e.recurring, e.calendar) for e in found.events] == [
        ("Stand-up", day, True, "work") for day in (21, 22, 23)
    ]
    assert found.problem == ""


async def test_floating_times_are_meant_in_the_windows_zone(parser: CalendarParser) -> None:
    floating = calendar("DTSTART:20261121T100000")
    zones = ("Asia/Tokyo", "UTC", "Asia/Tokyo")
    hours = [(await parser.expand(floating, window(zone=zone), "c")).events[0].start.hour for zone in zones]
    assert hours == [1, 10, 1]


@pytest.mark.parametrize("ics", [b"", b"hello", b"\xff", LUNCH[:-5]])
async def test_what_is_no_calendar_is_refused(parser: CalendarParser, ics: bytes) -> None:
    for work in (parser.count(ics), parser.expand(ics, window(), "c")):
        with pytest.raises(CalendarInvalid):
            await work


async def test_a_bad_event_is_refused_when_counting_and_left_out_when_reading(parser: CalendarParser) -> None:
    with pytest.raises(CalendarInvalid) as caught:
        await parser.count(BAD_EVENT)
    assert (caught.value.line, caught.value.why) == (9, "the event has no DTSTART")
    found = await parser.expand(BAD_EVENT, window(), "c")
    assert [e.title for e in found.events] == ["Good"]
    assert found.problem == "1 of its events cannot be read."


def spent_s() -> float:
    """Return the processor time that the one parser process has used."""
    (worker,) = psutil.Process().children()
    times = worker.cpu_times()
    return times.user + times.system


@pytest.mark.parametrize("rule", FOR_EVER)
async def test_a_rule_without_end_or_result_costs_only_itself(process: ProcessCalendarParser, rule: str) -> None:
    hostile = calendar(f"DTSTART:20261121T100000Z\n{rule}", "DTSTART:20261121T100000Z\nSUMMARY:Good")
    with pytest.raises(CalendarInvalid) as caught:
        await process.count(hostile)
    assert caught.value.line == 4
    before_s = spent_s()
    found = await process.expand(hostile, window(), "c")
    assert [e.title for e in found.events] == ["Good"]
    assert found.problem == "1 of its events cannot be read."
    assert spent_s() - before_s < 0.5, "what took too long once is not tried again"
    assert await process.count(LUNCH) == 1


async def test_many_slow_rules_have_one_limit_together() -> None:
    process = ProcessCalendarParser(workers=1, timeout_s=90)
    hostile = calendar(*[f"DTSTART:20261121T100000Z\n{FOR_EVER[0]}"] * 50)
    found = await process.expand(hostile, window(), "c")
    assert "too long" in found.problem
    assert spent_s() < 6
    await process.stop()


async def test_the_process_has_bounds_of_its_own(process: ProcessCalendarParser) -> None:
    await process.count(LUNCH)
    (worker,) = psutil.Process().children()
    assert worker.rlimit(psutil.RLIMIT_AS)[1] == 512 * 1024 * 1024
    assert worker.rlimit(psutil.RLIMIT_FSIZE)[1] == 0


async def test_a_process_that_was_killed_is_replaced(process: ProcessCalendarParser) -> None:
    assert await process.count(LUNCH) == 1
    (worker,) = psutil.Process().children()
    worker.kill()
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)
    # The first thread is a zombie before the others have ended, and only then has the process.
    await asyncio.sleep(0.2)
    assert await process.count(LUNCH) == 1


async def test_a_process_that_dies_of_a_file_is_the_files_fault(process: ProcessCalendarParser) -> None:
    await process.count(LUNCH)
    (worker,) = psutil.Process().children()
    reading = asyncio.create_task(process.count(calendar(f"DTSTART:20261121T100000Z\n{FOR_EVER[0]}")))
    await asyncio.sleep(0.2)
    worker.kill()
    with pytest.raises(CalendarInvalid, match="too much memory"):
        await reading
    assert await process.count(LUNCH) == 1


async def test_without_a_process_nothing_is_read(monkeypatch) -> None:
    monkeypatch.setattr(calendar_parser_process, "_COMMAND", WorkerCommand("dashboard_service.no_such_module"))
    with pytest.raises(UpstreamDown, match="PARSER_UNAVAILABLE"):
        await ProcessCalendarParser().count(LUNCH)


async def test_a_process_that_hangs_is_killed_and_the_next_file_is_read(process: ProcessCalendarParser) -> None:
    assert await process.count(LUNCH) == 1
    (worker,) = psutil.Process().children()
    worker.suspend()
    process._timeout_s, patient_s = 0.3, process._timeout_s
    with pytest.raises(UpstreamDown, match="PARSER_SLOW"):
        await process.count(LUNCH)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    process._timeout_s = patient_s
    assert await process.count(LUNCH) == 1


async def test_an_answer_never_goes_to_another_caller(process: ProcessCalendarParser) -> None:
    slow = calendar(f"DTSTART:20261121T100000Z\n{FOR_EVER[0]}")
    leaving = asyncio.create_task(process.expand(slow, window(), "c"))
    await asyncio.sleep(0.5)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await process.expand(DAILY, window(days=3), "work")).events[0].title == "Stand-up"


async def test_many_callers_take_turns(process: ProcessCalendarParser) -> None:
    counts = await asyncio.gather(*(process.count(DAILY) for _ in range(50)))
    assert counts == [1] * 50


async def test_too_many_callers_are_turned_away() -> None:
    process = ProcessCalendarParser(workers=1, in_hand=3)
    outcomes = await asyncio.gather(*(process.count(DAILY) for _ in range(5)), return_exceptions=True)
    assert [o for o in outcomes if o == 1] == [1, 1, 1]
    assert {o.reason for o in outcomes if isinstance(o, UpstreamDown)} == {"PARSER_BUSY"}
    await process.stop()


async def test_processes_without_work_end() -> None:
    parser = ProcessCalendarParser(workers=1, idle_s=0.2)
    await parser.count(LUNCH)
    (worker,) = psutil.Process().children()
    retiring = asyncio.create_task(parser.retire_idle())
    async with asyncio.timeout(20):
        while psutil.pid_exists(worker.pid):
            await asyncio.sleep(0.05)
    retiring.cancel()
    assert await parser.count(LUNCH) == 1
    await parser.stop()


async def test_the_process_knows_no_secret_of_the_service(process: ProcessCalendarParser, monkeypatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    await process.count(LUNCH)
    (worker,) = psutil.Process().children()
    assert "SOME_API_KEY" in os.environ
    assert "SOME_API_KEY" not in worker.environ()
    assert worker.cwd() == "/"
