"""Writes down that an MCP server was registered, tried or forgotten."""

from __future__ import annotations

from shared.auth.principal import Principal
from shared.clock import Clock
from shared.ids import IdSource
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.tool_call import NOWHERE
from tool_executor.ports.audit_log import AuditLog

ADDED = "MCP_SERVER_ADDED"
REMOVED = "MCP_SERVER_REMOVED"
TESTED = "MCP_SERVER_TESTED"


class NoteMcpChange:
    """Writes audit events of MCP servers, under the source of their tools.

    Args:
        audit: where events are written.
        clock: tells when.
        new_id: names the events.
    """

    def __init__(self, audit: AuditLog, clock: Clock, new_id: IdSource) -> None:
        self._audit = audit
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, principal: Principal, server: str, change: str) -> None:
        """Write down that `principal` makes `change` to `server`.

        Raises:
            UpstreamDown: when it cannot be written.
        """
        await self._audit.note(
            AuditEvent(
                event_id=self._new_id(),
                org_id=principal.org_id,
                user_id=principal.user_id,
                tool=f"mcp:{server}",
                origin=NOWHERE,
                allowed=True,
                reason=change,
                policies=(),
                at=self._clock.now(),
            )
        )
