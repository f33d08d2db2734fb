"""Reads a person's calendar from the dashboard service."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from protos.gen.nexus.dashboard.v1 import dashboard_pb2, dashboard_pb2_grpc
from shared.client import translated_errors
from tool_executor.domain.agenda import Agenda, AgendaEvent, AgendaSource


class GrpcContextSource:
    """Calls `DashboardService.GetContext` on behalf of the principal of the work at hand."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = dashboard_pb2_grpc.DashboardServiceStub(channel)

    async def agenda(self, start: datetime, end: datetime, time_zone: str, *, timeout_s: float) -> Agenda:
        """Return the caller's calendar events that overlap the window from `start` to `end`.

        Raises:
            NexusError: as the port says.
        """
        request = dashboard_pb2.GetContextRequest(
            start_time=_timestamp(start), end_time=_timestamp(end), time_zone=time_zone
        )
        async with translated_errors("dashboard"):
            reply: dashboard_pb2.GetContextResponse = await self._stub.GetContext(request, timeout=timeout_s)
        return Agenda(
            tuple(_event(event) for event in reply.context.calendar_events),
            tuple(
                AgendaSource(source.source or source.adapter, source.stale, source.error, source.demo)
                for source in reply.context.sources
            ),
        )


def _event(event: dashboard_pb2.CalendarEvent) -> AgendaEvent:
    return AgendaEvent(
        title=event.title,
        start=event.start_time.ToDatetime(UTC),
        end=event.end_time.ToDatetime(UTC),
        location=event.location,
        all_day=event.all_day,
        calendar=event.calendar,
        demo=event.demo,
    )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp
