"""Composition root: the only place where the dashboard service is wired."""

from __future__ import annotations

from dashboard_service.adapters.calendar_feed_cached import CachedCalendarFeed
from dashboard_service.adapters.calendar_feed_https import FeedPolicy, HttpsCalendarFeed
from dashboard_service.adapters.calendar_parser_fair import FairCalendarParser
from dashboard_service.adapters.calendar_parser_process import ProcessCalendarParser
from dashboard_service.adapters.calendar_source_demo import DemoCalendarSource
from dashboard_service.adapters.calendar_source_fair import FairCalendarSource
from dashboard_service.adapters.calendar_source_ics import IcsCalendarSource
from dashboard_service.adapters.calendar_source_metered import MeteredCalendarSource
from dashboard_service.adapters.calendar_source_url import UrlCalendarSource
from dashboard_service.adapters.calendar_store_sqlite import SqliteCalendarStore
from dashboard_service.adapters.organisation_settings_grpc import GrpcOrganisationSettings
from dashboard_service.adapters.sync_journal_memory import MemorySyncJournal
from dashboard_service.servicer.dashboard import DashboardServicer, UseCases
from dashboard_service.settings import Settings
from dashboard_service.use_cases.get_context import GetContext
from dashboard_service.use_cases.import_calendar import ImportCalendar
from dashboard_service.use_cases.list_adapters import ListAdapters
from protos.gen.nexus.dashboard.v1 import dashboard_pb2, dashboard_pb2_grpc
from shared.server import Dependencies, Registration, Service
from shared.storage import Database


def build(settings: Settings, deps: Dependencies) -> Service:
    """Return the dashboard service as `settings` describe it, not started."""
    database = Database(settings.data_dir / "db" / "dashboard.sqlite", "dashboard_service.adapters.migrations")
    store = SqliteCalendarStore(database)
    parser = ProcessCalendarParser(settings.parser_processes)
    organisation = GrpcOrganisationSettings(deps.channel(settings.settings_address))
    policy = FeedPolicy(settings.allow_private_urls, settings.calendar_ca_file)
    feed = CachedCalendarFeed(HttpsCalendarFeed(deps.clock, policy), deps.clock, ttl_s=settings.calendar_ttl_s)
    sources = [
        MeteredCalendarSource(source, deps.clock)
        for source in (
            FairCalendarSource(IcsCalendarSource(store, parser, deps.clock)),
            FairCalendarSource(UrlCalendarSource(organisation, feed, parser)),
            DemoCalendarSource(organisation, deps.clock),
        )
    ]
    journal = MemorySyncJournal()
    servicer = DashboardServicer(
        UseCases(
            GetContext(sources, journal, deps.clock),
            ListAdapters(sources, journal),
            ImportCalendar(FairCalendarParser(parser), store, deps.clock),
        ),
        settings.source_timeout_s,
    )

    async def stop() -> None:
        await parser.stop()
        await database.close()

    return Service(
        name="dashboard",
        registrations=[
            Registration(
                dashboard_pb2_grpc.add_DashboardServiceServicer_to_server,
                servicer,
                dashboard_pb2.DESCRIPTOR.services_by_name["DashboardService"],
            )
        ],
        start=database.open,
        stop=stop,
        background=[parser.retire_idle],
    )
