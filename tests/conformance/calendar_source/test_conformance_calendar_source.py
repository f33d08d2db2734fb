"""What every calendar source does, fake or real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta

import pytest
from dashboard_fakes import (
    ANN,
    BOB,
    DAILY,
    NOON,
    FakeFeed,
    FakeSettings,
    FakeSource,
    InlineParser,
    MemoryStore,
    event,
    window,
)

from dashboard_service.adapters.calendar_source_demo import DemoCalendarSource
from dashboard_service.adapters.calendar_source_fair import FairCalendarSource
from dashboard_service.adapters.calendar_source_ics import IcsCalendarSource
from dashboard_service.adapters.calendar_source_metered import MeteredCalendarSource
from dashboard_service.adapters.calendar_source_url import UrlCalendarSource
from dashboard_service.domain.source import CalendarRef, CalendarSettings
from dashboard_service.domain.stored_calendar import StoredCalendar
from dashboard_service.domain.window import Window
from dashboard_service.ports.calendar_source import CalendarSource
from shared.errors import NexusError, UpstreamDown
from shared.testing.fakes import FakeClock

DOWN = UpstreamDown("DOWN", "It is down.")


@dataclass
class Case:
    """A source, connected; how to disconnect it, and how to break finding or reading, where that is possible."""

    source: CalendarSource
    disconnect: Callable[[], None]
    break_finding: Callable[[], None]
    break_reading: Callable[[], None] | None


async def _fake() -> Case:
    days = [event("e", start=NOON + timedelta(days=n, hours=-3), recurring=True) for n in range(-20, 20)]
    source = FakeSource(events=days)
    return Case(
        source,
        lambda: setattr(source, "names", ()),
        lambda: setattr(source, "find_failure", DOWN),
        lambda: setattr(source, "failure", DOWN),
    )


async def _ics() -> Case:
    store = MemoryStore()
    await store.put(ANN, StoredCalendar("work", 1, NOON, NOON), DAILY)
    return Case(
        IcsCalendarSource(store, InlineParser(), FakeClock()),
        store.kept.clear,
        lambda: setattr(store, "failure", DOWN),
        lambda: store.kept.update({k: (c, b"broken") for k, (c, _) in store.kept.items()}),
    )


async def _url() -> Case:
    settings, feed = FakeSettings(CalendarSettings("https://calendar.example/secret/x.ics")), FakeFeed(DAILY)
    return Case(
        UrlCalendarSource(settings, feed, InlineParser()),
        lambda: setattr(settings, "value", CalendarSettings()),
        lambda: setattr(settings, "failure", DOWN),
        lambda: setattr(feed, "failure", DOWN),
    )


async def _demo() -> Case:
    settings = FakeSettings()
    return Case(
        DemoCalendarSource(settings, FakeClock()),
        lambda: setattr(settings, "value", CalendarSettings(demo=False)),
        lambda: setattr(settings, "failure", DOWN),
        None,
    )


async def _metered() -> Case:
    case = await _ics()
    return Case(
        MeteredCalendarSource(case.source, FakeClock()), case.disconnect, case.break_finding, case.break_reading
    )


async def _fair() -> Case:
    case = await _url()
    return Case(FairCalendarSource(case.source), case.disconnect, case.break_finding, case.break_reading)


MAKERS = [_fake, _ics, _url, _demo, _metered, _fair]


@pytest.fixture(params=MAKERS, ids=[maker.__name__.strip("_") for maker in MAKERS])
async def case(request: pytest.FixtureRequest) -> Case:
    return await request.param()


async def only(source: CalendarSource) -> CalendarRef:
    (ref,) = await source.calendars(ANN)
    return ref


async def test_a_calendar_says_whose_it_is_and_where_from(case: Case) -> None:
    ref = await only(case.source)
    assert (ref.adapter, ref.owner, ref.demo) == (case.source.name, ANN, case.source.demo)
    assert ref.name
    assert "secret" not in repr(ref)


async def test_nothing_is_found_when_nothing_is_connected(case: Case) -> None:
    case.disconnect()
    assert list(await case.source.calendars(ANN)) == []


async def test_a_failure_to_find_is_told(case: Case) -> None:
    case.break_finding()
    with pytest.raises(NexusError):
        await case.source.calendars(ANN)


async def test_events_overlap_the_window_and_say_where_they_are_from(case: Case) -> None:
    ref = await only(case.source)
    within = window(days=5)
    reading = await case.source.fetch(ref, within, 1)
    assert reading.events
    for found in reading.events:
        assert within.overlaps(found.start, found.end)
        assert (found.calendar, found.demo, found.start.tzinfo) == (ref.name, case.source.demo, UTC)
    assert (reading.read_at, reading.problem) == (NOON, "")


async def test_two_halves_of_a_window_give_what_the_whole_gives(case: Case) -> None:
    ref, whole = await only(case.source), window(days=6)
    middle = NOON + timedelta(days=3)
    halves = [Window(whole.start, middle, whole.zone), Window(middle, whole.end, whole.zone)]
    parts = [(await case.source.fetch(ref, half, 1)).events for half in halves]
    everything = (await case.source.fetch(ref, whole, 1)).events
    assert {*parts[0], *parts[1]} == {*everything}


async def test_reading_again_gives_the_same(case: Case) -> None:
    ref = await only(case.source)
    assert await case.source.fetch(ref, window(), 1) == await case.source.fetch(ref, window(), 1)


async def test_an_empty_time_is_empty(case: Case) -> None:
    long_ago = Window(NOON - timedelta(days=9_000), NOON - timedelta(days=8_900), window().zone)
    assert (await case.source.fetch(await only(case.source), long_ago, 1)).events == ()


async def test_a_failure_to_read_is_told_without_a_secret(case: Case) -> None:
    if case.break_reading is None:
        assert case.source.demo, "only what reads nothing cannot fail"
        return
    ref = await only(case.source)
    case.break_reading()
    with pytest.raises(NexusError) as caught:
        await case.source.fetch(ref, window(), 1)
    assert "secret" not in str(caught.value)


async def test_files_are_their_owners_alone() -> None:
    case = await _ics()
    assert list(await case.source.calendars(BOB)) == []
    with pytest.raises(NexusError, match="CALENDAR_UNKNOWN"):
        await case.source.fetch(CalendarRef("icalendar_file", BOB, "work", "work"), window(), 1)


async def test_an_address_is_named_after_its_host() -> None:
    assert (await only((await _url()).source)).name == "calendar.example"


async def test_an_older_copy_is_read_with_its_problem() -> None:
    class OldFeed(FakeFeed):
        async def fetch(self, org_id: str, url: str, timeout_s: float):
            feed = await super().fetch(org_id, url, timeout_s)
            return type(feed)(feed.ics, feed.read_at, "An older copy.")

    settings = FakeSettings(CalendarSettings("https://calendar.example/x.ics"))
    source = UrlCalendarSource(settings, OldFeed(DAILY), InlineParser())
    reading = await source.fetch(await only(source), window(), 1)
    assert reading.problem == "An older copy."
    assert reading.events


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
async def test_the_demonstration_shows_something_on_each_of_the_next_days(zone: str) -> None:
    source = DemoCalendarSource(FakeSettings(), FakeClock())
    reading = await source.fetch(await only(source), window(zone=zone), 1)
    today = NOON.astimezone(window(zone=zone).zone).date()
    days = {(e.start.astimezone(window(zone=zone).zone).date() - today).days for e in reading.events}
    assert {1, 2, 3, 4} <= days
    assert any(e.all_day for e in reading.events)
    assert any(e.recurring for e in reading.events)
