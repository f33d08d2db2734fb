"""Between messages and the domain."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from dashboard_service.domain.calendar_event import CalendarEvent
from dashboard_service.domain.context import Context
from dashboard_service.domain.source import AdapterStatus, SourceStatus
from protos.gen.nexus.dashboard.v1 import dashboard_pb2
from shared.errors import FieldViolation, InvalidInput


def moment_of(message: Timestamp, field: str) -> datetime:
    """Return the moment in `message`, aware, in UTC.

    Raises:
        InvalidInput: TIME_INVALID, naming `field`, when it is beyond the years 1 to 9999.
    """
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            "TIME_INVALID",
            f"{field} is no time in the years 1 to 9999.",
            violations=[FieldViolation(field, "is out of range")],
        ) from error


def timestamp_of(moment: datetime) -> Timestamp:
    """Return `moment`, aware, as a message."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def context_to_proto(context: Context) -> dashboard_pb2.Context:
    """Return `context` as a message."""
    return dashboard_pb2.Context(
        calendar_events=[_event_to_proto(event) for event in context.events],
        sources=[_status_to_proto(status) for status in context.sources],
        create_time=timestamp_of(context.created_at),
    )


def _event_to_proto(event: CalendarEvent) -> dashboard_pb2.CalendarEvent:
    return dashboard_pb2.CalendarEvent(
        uid=event.uid,
        title=event.title,
        location=event.location,
        description=event.description,
        start_time=timestamp_of(event.start),
        end_time=timestamp_of(event.end),
        all_day=event.all_day,
        recurring=event.recurring,
        calendar=event.calendar,
        demo=event.demo,
    )


def _status_to_proto(status: SourceStatus) -> dashboard_pb2.SourceStatus:
    return dashboard_pb2.SourceStatus(
        adapter=status.adapter, source=status.source, stale=status.stale, error=status.error, demo=status.demo
    )


def adapter_to_proto(status: AdapterStatus) -> dashboard_pb2.Adapter:
    """Return `status` as a message."""
    return dashboard_pb2.Adapter(
        name=status.name,
        category=status.category,
        connected=status.connected,
        demo=status.demo,
        last_sync_time=timestamp_of(status.sync.last_sync) if status.sync.last_sync else None,
        last_error=status.sync.last_error,
    )
