"""The dashboard's RPCs over a real server and fake ports: every answer, and every reason to refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from dashboard_fakes import (
    BAD_NAMES,
    DAILY,
    LUNCH,
    NOON,
    FakeFeed,
    FakeSettings,
    FakeSource,
    InlineParser,
    MemoryStore,
    event,
)
from google.protobuf.timestamp_pb2 import Timestamp

from dashboard_service.adapters.calendar_source_demo import DemoCalendarSource
from dashboard_service.adapters.calendar_source_ics import IcsCalendarSource
from dashboard_service.adapters.calendar_source_url import UrlCalendarSource
from dashboard_service.adapters.sync_journal_memory import MemorySyncJournal
from dashboard_service.domain.source import CalendarSettings
from dashboard_service.domain.stored_calendar import MAX_CALENDARS_PER_USER
from dashboard_service.servicer.dashboard import DashboardServicer, UseCases
from dashboard_service.use_cases.get_context import GetContext
from dashboard_service.use_cases.import_calendar import ImportCalendar
from dashboard_service.use_cases.list_adapters import ListAdapters
from protos.gen.nexus.dashboard.v1 import dashboard_pb2 as pb
from protos.gen.nexus.dashboard.v1.dashboard_pb2_grpc import (
    DashboardServiceStub,
    add_DashboardServiceServicer_to_server,
)
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NexusError, QuotaExceeded, Unauthenticated, UpstreamDown
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving

DOWN = UpstreamDown("DOWN", "It is down.")


@dataclass
class World:
    """A served dashboard and what is behind it."""

    served: Served
    store: MemoryStore
    settings: FakeSettings
    feed: FakeFeed
    slow: FakeSource

    def stub(self, **who: object) -> DashboardServiceStub:
        return DashboardServiceStub(self.served.channel_as(principal(**who)))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock, journal, parser, store = FakeClock(), MemorySyncJournal(), InlineParser(), MemoryStore()
    settings, feed, slow = FakeSettings(), FakeFeed(DAILY), FakeSource("slow_calendar", names=())
    sources = [
        IcsCalendarSource(store, parser, clock),
        UrlCalendarSource(settings, feed, parser),
        DemoCalendarSource(settings, clock),
        slow,
    ]
    servicer = DashboardServicer(
        UseCases(
            GetContext(sources, journal, clock), ListAdapters(sources, journal), ImportCalendar(parser, store, clock)
        ),
        timeout_s=20,
    )
    family = pb.DESCRIPTOR.services_by_name["DashboardService"]
    service = Service("dashboard", [Registration(add_DashboardServiceServicer_to_server, servicer, family)])
    async with serving(service) as served:
        yield World(served, store, settings, feed, slow)


async def error_of(call) -> NexusError:
    with pytest.raises(NexusError) as caught:
        async with translated_errors("dashboard"):
            await call
    return caught.value


async def test_an_imported_calendar_is_in_the_context(world: World) -> None:
    stub = world.stub()
    imported = await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    assert imported.event_count == 1
    context = (await stub.GetContext(pb.GetContextRequest())).context
    (lunch,) = context.calendar_events
    assert (lunch.uid, lunch.title, lunch.calendar, lunch.all_day, lunch.demo) == ("u1", "Lunch", "work", False, False)
    assert lunch.start_time.ToJsonString() == "2026-11-20T12:00:00Z"
    assert lunch.end_time.ToJsonString() == "2026-11-20T13:00:00Z"
    assert [(s.adapter, s.source, s.stale, s.error, s.demo) for s in context.sources] == [
        ("icalendar_file", "work", False, "", False)
    ]
    assert context.create_time.ToJsonString() == "2026-11-20T12:00:00Z"


async def test_the_window_and_the_zone_of_the_request_count(world: World) -> None:
    stub = world.stub()
    ics = LUNCH.replace(b"DTSTART:20261120T120000Z", b"DTSTART;VALUE=DATE:20261201").replace(
        b"DTEND:20261120T130000Z", b"DTEND;VALUE=DATE:20261202"
    )
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=ics))
    start, end = Timestamp(), Timestamp()
    start.FromDatetime(NOON + timedelta(days=10))
    end.FromDatetime(NOON + timedelta(days=11))
    asked = pb.GetContextRequest(start_time=start, end_time=end, time_zone="Asia/Tokyo")
    (day,) = (await stub.GetContext(asked)).context.calendar_events
    assert (day.all_day, day.start_time.ToJsonString()) == (True, "2026-11-30T15:00:00Z")
    assert not (await stub.GetContext(pb.GetContextRequest())).context.calendar_events


async def test_nobody_sees_anothers_calendars(world: World) -> None:
    await world.stub(org_id="org-a", user_id="ann").ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    world.settings.value = CalendarSettings(demo=False)
    for org_id, user_id in (("org-a", "bob"), ("org-b", "ann"), ("org-b", "bob")):
        stranger = world.stub(org_id=org_id, user_id=user_id)
        context = (await stranger.GetContext(pb.GetContextRequest())).context
        assert not context.calendar_events
        assert not context.sources
        adapters = (await stranger.ListAdapters(pb.ListAdaptersRequest())).adapters
        assert [a.name for a in adapters if a.connected or a.HasField("last_sync_time")] == []
    own = (await world.stub(org_id="org-a", user_id="ann").GetContext(pb.GetContextRequest())).context
    assert len(own.calendar_events) == 1


async def test_the_demonstration_is_marked_and_gives_way_to_real_data(world: World) -> None:
    stub = world.stub()
    context = (await stub.GetContext(pb.GetContextRequest())).context
    assert context.calendar_events
    assert all(e.demo for e in context.calendar_events)
    assert [(s.adapter, s.demo) for s in context.sources] == [("demo_calendar", True)]
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    context = (await stub.GetContext(pb.GetContextRequest())).context
    assert [e.title for e in context.calendar_events] == ["Lunch"]


async def test_adapters_tell_how_they_are(world: World) -> None:
    stub = world.stub()
    world.settings.value = CalendarSettings("https://calendar.example/secret/x.ics")
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    world.feed.failure = DOWN
    before = (await stub.ListAdapters(pb.ListAdaptersRequest())).adapters
    assert [(a.name, a.category, a.connected, a.demo, a.HasField("last_sync_time"), a.last_error) for a in before] == [
        ("demo_calendar", "calendar", False, True, False, ""),
        ("icalendar_file", "calendar", True, False, False, ""),
        ("icalendar_url", "calendar", True, False, False, ""),
        ("slow_calendar", "calendar", False, False, False, ""),
    ]
    await stub.GetContext(pb.GetContextRequest())
    after = {a.name: a for a in (await stub.ListAdapters(pb.ListAdaptersRequest())).adapters}
    assert after["icalendar_file"].last_sync_time.ToJsonString() == "2026-11-20T12:00:00Z"
    assert after["icalendar_url"].last_error == "It is down."
    assert not after["icalendar_url"].HasField("last_sync_time")


async def test_a_broken_or_late_source_breaks_nothing_within_the_callers_deadline(world: World) -> None:
    stub = world.stub()
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    world.settings.failure = DOWN
    world.slow.names, world.slow.delay_s = ("late",), 30
    context = (await stub.GetContext(pb.GetContextRequest(), timeout=1)).context
    assert [e.title for e in context.calendar_events] == ["Lunch"]
    assert [(s.adapter, s.stale, s.error) for s in context.sources] == [
        ("icalendar_file", False, ""),
        ("icalendar_url", True, "It is down."),
        ("slow_calendar", True, "It did not answer in time."),
    ]


async def test_more_events_than_fit_are_cut_and_said(world: World) -> None:
    many = [event(f"e{n}", start=NOON + timedelta(seconds=n), description="x" * 1_500) for n in range(4_000)]
    world.slow.names, world.slow.events = ("many",), many
    context = (await world.stub().GetContext(pb.GetContextRequest())).context
    assert 2_000 < len(context.calendar_events) < 4_000
    assert [(s.source, s.stale) for s in context.sources] == [("many", True)]


def _time(seconds: int) -> Timestamp:
    return Timestamp(seconds=seconds)


NOON_S = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (pb.GetContextRequest(start_time=_time(NOON_S), end_time=_time(NOON_S)), "WINDOW_INVALID", "end_time"),
        (pb.GetContextRequest(end_time=_time(NOON_S - 1)), "WINDOW_INVALID", "end_time"),
        (pb.GetContextRequest(end_time=_time(NOON_S + 366 * 86_400 + 1)), "WINDOW_INVALID", "end_time"),
        (pb.GetContextRequest(start_time=_time(-62_000_000_000)), "WINDOW_INVALID", "start_time"),
        (pb.GetContextRequest(start_time=_time(10**15)), "TIME_INVALID", "start_time"),
        (pb.GetContextRequest(end_time=_time(-(10**15))), "TIME_INVALID", "end_time"),
        (pb.GetContextRequest(time_zone="Mars/Olympus"), "TIME_ZONE_UNKNOWN", "time_zone"),
        (pb.GetContextRequest(time_zone="../../../etc/passwd"), "TIME_ZONE_UNKNOWN", "time_zone"),
        (pb.GetContextRequest(time_zone="x" * 65), "REQUEST_INVALID", "time_zone"),
    ],
)
async def test_a_wrong_question_is_refused_with_the_field(world: World, request_, reason: str, field: str) -> None:
    error = await error_of(world.stub().GetContext(request_))
    assert isinstance(error, InvalidInput)
    assert error.reason == reason
    assert field in [v.field for v in error.violations]


@pytest.mark.parametrize(
    ("name", "ics", "reason", "field"),
    [
        ("work", b"hello", "CALENDAR_INVALID", "ics"),
        ("work", LUNCH.replace(b"DTSTART", b"X-START"), "CALENDAR_INVALID", "ics"),
        ("work", b"", "REQUEST_INVALID", "ics"),
        ("work", b"x" * (2 * 1024 * 1024 + 1), "REQUEST_INVALID", "ics"),
        ("", LUNCH, "REQUEST_INVALID", "name"),
        ("x" * 101, LUNCH, "REQUEST_INVALID", "name"),
        *((name, LUNCH, "CALENDAR_NAME_INVALID", "name") for name in BAD_NAMES),
    ],
)
async def test_a_wrong_import_is_refused_and_changes_nothing(
    world: World, name: str, ics: bytes, reason: str, field: str
) -> None:
    await world.stub().ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    error = await error_of(world.stub().ImportCalendar(pb.ImportCalendarRequest(name=name, ics=ics)))
    assert isinstance(error, InvalidInput)
    assert error.reason == reason
    assert field in [v.field for v in error.violations]
    assert [kept for _, kept in world.store.kept.values()] == [LUNCH]


async def test_one_calendar_too_many_is_refused(world: World) -> None:
    stub = world.stub()
    for n in range(MAX_CALENDARS_PER_USER):
        await stub.ImportCalendar(pb.ImportCalendarRequest(name=f"c{n}", ics=LUNCH))
    error = await error_of(stub.ImportCalendar(pb.ImportCalendarRequest(name="more", ics=LUNCH)))
    assert isinstance(error, QuotaExceeded)
    assert error.reason == "CALENDARS_EXHAUSTED"


async def test_a_store_that_fails_is_told(world: World) -> None:
    world.store.failure = DOWN
    error = await error_of(world.stub().ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH)))
    assert isinstance(error, UpstreamDown)
    assert error.reason == "DOWN"
    (status,) = (await world.stub().GetContext(pb.GetContextRequest())).context.sources
    assert (status.adapter, status.source, status.stale, status.error) == ("icalendar_file", "", True, "It is down.")


REQUESTS = {
    "GetContext": pb.GetContextRequest(),
    "ListAdapters": pb.ListAdaptersRequest(),
    "ImportCalendar": pb.ImportCalendarRequest(name="work", ics=LUNCH),
}


@pytest.mark.parametrize("method", REQUESTS)
async def test_nobody_gets_in_without_identity_or_permission(world: World, method: str) -> None:
    nobody = DashboardServiceStub(world.served.channel_as(None))
    assert isinstance(await error_of(getattr(nobody, method)(REQUESTS[method])), Unauthenticated)
    reader = world.stub(permissions=("dashboard.read",))
    writer = world.stub(permissions=("dashboard.update",))
    allowed, refused = (writer, reader) if method == "ImportCalendar" else (reader, writer)
    await getattr(allowed, method)(REQUESTS[method])
    error = await error_of(getattr(refused, method)(REQUESTS[method]))
    assert isinstance(error, Forbidden)
    assert error.reason == "PERMISSION_DENIED"


async def test_a_caller_who_leaves_takes_the_work_along(world: World) -> None:
    world.slow.names, world.slow.delay_s = ("late",), 30
    call = world.stub().GetContext(pb.GetContextRequest())
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    world.slow.names = ()
    assert (await world.stub().GetContext(pb.GetContextRequest())).context.sources


async def test_the_error_says_no_secret_of_an_address(world: World) -> None:
    world.settings.value = CalendarSettings("https://calendar.example/secret/x.ics")
    world.feed.ics = b"<html>"
    (status,) = (await world.stub().GetContext(pb.GetContextRequest())).context.sources
    assert (status.source, status.stale) == ("calendar.example", True)
    assert "secret" not in status.error
