"""The dashboard service as it is wired, on a real database, with real parser processes and a settings service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import psutil
import pytest
from dashboard_fakes import DAILY, LUNCH, calendar
from google.protobuf.timestamp_pb2 import Timestamp
from prometheus_client import REGISTRY

from dashboard_service.main import build
from dashboard_service.settings import Settings
from protos.gen.nexus.dashboard.v1 import dashboard_pb2 as pb
from protos.gen.nexus.dashboard.v1.dashboard_pb2_grpc import DashboardServiceStub
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.auth.context import current_principal
from shared.auth.principal import Principal
from shared.client import translated_errors
from shared.client.channel import open_channel
from shared.errors import InvalidInput
from shared.ids import new_id
from shared.server import Dependencies, Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving


@dataclass
class OtherSettings(settings_pb2_grpc.SettingsServiceServicer):
    """A settings service that gives each organisation what it is told."""

    by_org: dict[str, settings_pb2.CalendarConfig] = field(default_factory=dict)
    asked_by: list[Principal] = field(default_factory=list)

    async def GetConfig(self, request, context):
        who = current_principal()
        self.asked_by.append(who)
        config = settings_pb2.Config(calendar=self.by_org.get(who.org_id))
        return settings_pb2.GetConfigResponse(config=config)


@dataclass
class Mesh:
    """A served dashboard and the settings service beside it."""

    served: Served
    settings: OtherSettings

    def stub(self, org_id: str = "org-a", user_id: str = "ann") -> DashboardServiceStub:
        return DashboardServiceStub(self.served.channel_as(principal(org_id, user_id)))


@asynccontextmanager
async def meshed(data_dir: Path) -> AsyncIterator[Mesh]:
    settings = OtherSettings()
    family = settings_pb2.DESCRIPTOR.services_by_name["SettingsService"]
    add = settings_pb2_grpc.add_SettingsServiceServicer_to_server
    async with serving(Service("settings", [Registration(add, settings, family)])) as peer:
        channels: list[grpc.aio.Channel] = []

        def channel(address: str) -> grpc.aio.Channel:
            channels.append(open_channel(address, lambda who: peer.tokens.mint(who, "dashboard") if who else None))
            return channels[-1]

        config = Settings(data_dir=data_dir, settings_address=peer.address, source_timeout_s=40)
        service = build(config, Dependencies(FakeClock(), new_id, channel))
        async with serving(service) as served:
            yield Mesh(served, settings)
        for opened in channels:
            await opened.close()


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with meshed(tmp_path) as made:
        yield made


async def context_of(stub: DashboardServiceStub, **request: object) -> pb.Context:
    async with translated_errors("dashboard"):
        return (await stub.GetContext(pb.GetContextRequest(**request), timeout=60)).context


async def test_a_first_look_then_a_file_of_ones_own(mesh: Mesh) -> None:
    stub = mesh.stub()
    first = await context_of(stub, time_zone="Europe/Berlin")
    assert {e.demo for e in first.calendar_events} == {True}
    assert (await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=DAILY))).event_count == 1
    start, end = Timestamp(), Timestamp()
    start.FromJsonString("2026-11-21T00:00:00Z")
    end.FromJsonString("2026-11-22T00:00:00Z")
    tomorrow = await context_of(stub, start_time=start, end_time=end)
    assert [(e.title, e.start_time.ToJsonString(), e.recurring) for e in tomorrow.calendar_events] == [
        ("Stand-up", "2026-11-21T09:00:00Z", True)
    ]
    assert [(s.adapter, s.source, s.stale) for s in tomorrow.sources] == [("icalendar_file", "work", False)]


async def test_calendars_outlive_the_service_and_stay_their_owners(tmp_path: Path) -> None:
    async with meshed(tmp_path) as mesh:
        await mesh.stub().ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    async with meshed(tmp_path) as mesh:
        assert [e.title for e in (await context_of(mesh.stub())).calendar_events] == ["Lunch"]
        for org_id, user_id in (("org-a", "bob"), ("org-b", "ann")):
            events = (await context_of(mesh.stub(org_id, user_id))).calendar_events
            assert {e.demo for e in events} == {True}
    assert (tmp_path / "db/dashboard.sqlite").stat().st_size > 0


async def test_settings_count_at_once_for_their_organisation_alone(mesh: Mesh) -> None:
    mesh.settings.by_org["org-a"] = settings_pb2.CalendarConfig(demo=False)
    assert not (await context_of(mesh.stub("org-a"))).calendar_events
    assert (await context_of(mesh.stub("org-b"))).calendar_events
    mesh.settings.by_org.clear()
    assert (await context_of(mesh.stub("org-a"))).calendar_events
    assert {(p.org_id, p.user_id) for p in mesh.settings.asked_by} == {
        ("org-a", "service:dashboard"),
        ("org-b", "service:dashboard"),
    }


async def test_an_address_of_a_private_network_is_stale_and_tells_no_secret(mesh: Mesh) -> None:
    mesh.settings.by_org["org-a"] = settings_pb2.CalendarConfig(url="https://127.0.0.1:9/t0ken.ics")
    stub = mesh.stub()
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    context = await context_of(stub)
    assert [e.title for e in context.calendar_events] == ["Lunch"]
    by_adapter = {s.adapter: s for s in context.sources}
    assert by_adapter["icalendar_url"].stale
    assert by_adapter["icalendar_url"].source == "127.0.0.1"
    assert "private network" in by_adapter["icalendar_url"].error
    assert "t0ken" not in str(context)
    adapters = {a.name: a for a in (await stub.ListAdapters(pb.ListAdaptersRequest())).adapters}
    assert adapters["icalendar_url"].connected
    assert "private network" in adapters["icalendar_url"].last_error


async def test_a_settings_service_that_is_gone_breaks_only_what_needs_it(tmp_path: Path) -> None:
    def channel(address: str) -> grpc.aio.Channel:
        channels.append(open_channel(address, lambda _who: None))
        return channels[-1]

    channels: list[grpc.aio.Channel] = []
    config = Settings(data_dir=tmp_path, settings_address=f"unix:{tmp_path}/nobody", source_timeout_s=40)
    async with serving(build(config, Dependencies(FakeClock(), new_id, channel))) as served:
        stub = DashboardServiceStub(served.channel)
        await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
        context = await context_of(stub)
        assert [e.title for e in context.calendar_events] == ["Lunch"]
        assert [(s.adapter, s.stale) for s in context.sources] == [("icalendar_file", False), ("icalendar_url", True)]
    for opened in channels:
        await opened.close()


async def test_an_invalid_file_names_its_line_and_changes_nothing(mesh: Mesh) -> None:
    stub = mesh.stub()
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    hostile = calendar("DTSTART:20261121T100000Z\nRRULE:FREQ=DAILY;INTERVAL=0")
    with pytest.raises(InvalidInput) as caught:
        async with translated_errors("dashboard"):
            await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=hostile), timeout=60)
    assert (caught.value.reason, caught.value.metadata["line"]) == ("CALENDAR_INVALID", "4")
    assert [e.title for e in (await context_of(stub)).calendar_events] == ["Lunch"]


async def test_a_killed_parser_is_replaced(mesh: Mesh) -> None:
    stub = mesh.stub()
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    for child in psutil.Process().children():
        child.kill()
    assert [e.title for e in (await context_of(stub)).calendar_events] == ["Lunch"]


async def test_readings_are_counted(mesh: Mesh) -> None:
    def fresh() -> float:
        labels = {"adapter": "icalendar_file", "outcome": "fresh"}
        return REGISTRY.get_sample_value("nexus_dashboard_source_readings_total", labels) or 0.0

    stub = mesh.stub()
    await stub.ImportCalendar(pb.ImportCalendarRequest(name="work", ics=LUNCH))
    before = fresh()
    await context_of(stub)
    assert fresh() == before + 1
