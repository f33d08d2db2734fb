"""AuditService."""

from __future__ import annotations

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from protos.gen.nexus.tools.v1 import audit_pb2, audit_pb2_grpc
from shared.auth.context import current_principal
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.use_cases.list_audit_events import ListAuditEvents

_PAGE_SIZE = 100


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Serves nexus.tools.v1.AuditService."""

    def __init__(self, list_audit_events: ListAuditEvents) -> None:
        self._list_audit_events = list_audit_events

    async def ListAuditEvents(
        self,
        request: audit_pb2.ListAuditEventsRequest,
        context: grpc.aio.ServicerContext[audit_pb2.ListAuditEventsRequest, audit_pb2.ListAuditEventsResponse],
    ) -> audit_pb2.ListAuditEventsResponse:
        """Return a page of events. A page token is the id of the last event before it."""
        page = await self._list_audit_events(
            current_principal(),
            refused_only=request.refused_only,
            before=request.page_token,
            page_size=request.page_size or _PAGE_SIZE,
        )
        return audit_pb2.ListAuditEventsResponse(
            events=[_event(each) for each in page.events], next_page_token=page.next_before
        )


def _event(event: AuditEvent) -> audit_pb2.AuditEvent:
    created = Timestamp()
    created.FromDatetime(event.at)
    return audit_pb2.AuditEvent(
        event_id=event.event_id,
        create_time=created,
        user_id=event.user_id,
        tool=event.tool,
        agent=event.origin.agent,
        channel=event.origin.channel,
        run_id=event.origin.run_id,
        allowed=event.allowed,
        reason=event.reason,
        policies=event.policies,
    )
