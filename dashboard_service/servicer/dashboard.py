"""The RPCs of DashboardService."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import grpc

from dashboard_service.domain.owner import Owner
from dashboard_service.servicer.convert import adapter_to_proto, context_to_proto, moment_of
from dashboard_service.use_cases.get_context import ContextQuery, GetContext
from dashboard_service.use_cases.import_calendar import ImportCalendar
from dashboard_service.use_cases.list_adapters import ListAdapters
from protos.gen.nexus.dashboard.v1 import dashboard_pb2, dashboard_pb2_grpc
from shared.auth.context import current_principal

_Context = grpc.aio.ServicerContext[Any, Any]
# Of the time that the caller gives, this much is for the sources; the rest is for the way back.
_SOURCE_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the servicer calls."""

    get_context: GetContext
    list_adapters: ListAdapters
    import_calendar: ImportCalendar


class DashboardServicer(dashboard_pb2_grpc.DashboardServiceServicer):
    """Serves a person's own data, and nobody else's: whose it is comes from the caller's identity alone."""

    def __init__(self, use_cases: UseCases, timeout_s: float) -> None:
        self._use_cases = use_cases
        self._timeout_s = timeout_s

    async def GetContext(
        self, request: dashboard_pb2.GetContextRequest, context: _Context
    ) -> dashboard_pb2.GetContextResponse:
        """Return what is known of the caller for a window of time."""
        query = ContextQuery(
            moment_of(request.start_time, "start_time") if request.HasField("start_time") else None,
            moment_of(request.end_time, "end_time") if request.HasField("end_time") else None,
            request.time_zone,
            self._within_s(context),
        )
        found = await self._use_cases.get_context(_owner(), query)
        return dashboard_pb2.GetContextResponse(context=context_to_proto(found))

    async def ListAdapters(
        self, request: dashboard_pb2.ListAdaptersRequest, context: _Context
    ) -> dashboard_pb2.ListAdaptersResponse:
        """List the adapters and how they are for the caller."""
        del request
        statuses = await self._use_cases.list_adapters(_owner(), self._within_s(context))
        return dashboard_pb2.ListAdaptersResponse(adapters=[adapter_to_proto(status) for status in statuses])

    async def ImportCalendar(
        self, request: dashboard_pb2.ImportCalendarRequest, context: _Context
    ) -> dashboard_pb2.ImportCalendarResponse:
        """Store an iCalendar file as a calendar of the caller."""
        del context
        count = await self._use_cases.import_calendar(_owner(), request.name, request.ics)
        return dashboard_pb2.ImportCalendarResponse(event_count=count)

    def _within_s(self, context: _Context) -> float:
        """Return how long the sources may take: as set, and within the caller's own deadline."""
        # None for a caller without a deadline, whatever the stubs say.
        remaining_s = cast("float | None", context.time_remaining())
        return self._timeout_s if remaining_s is None else min(self._timeout_s, remaining_s * _SOURCE_SHARE)


def _owner() -> Owner:
    principal = current_principal()
    return Owner(principal.org_id, principal.user_id)
