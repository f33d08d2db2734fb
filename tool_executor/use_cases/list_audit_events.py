"""Shows what was refused and what was done to the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.auth.principal import Principal
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.ports.audit_log import AuditLog


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Events, the newest first, and the event before which the next page begins; empty on the last page."""

    events: Sequence[AuditEvent]
    next_before: str


class ListAuditEvents:
    """Returns the audit of the caller's organisation."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def __call__(self, principal: Principal, *, refused_only: bool, before: str, page_size: int) -> AuditPage:
        """Return at most `page_size` events that are older than `before`; empty for the first page.

        Raises:
            UpstreamDown: when the audit cannot be read.
        """
        found = await self._audit.page(principal.org_id, refused_only=refused_only, before=before, size=page_size + 1)
        events = found[:page_size]
        return AuditPage(events, events[-1].event_id if len(found) > page_size else "")
