"""Writes down a call that is refused, or that is about to have its effect."""

from __future__ import annotations

from shared.clock import Clock
from shared.ids import IdSource
from tool_executor.domain.audit_event import AuditEvent
from tool_executor.domain.tool_call import CallContext
from tool_executor.domain.tool_decision import ToolDecision
from tool_executor.ports.audit_log import AuditLog


class NoteCall:
    """Writes events of calls.

    Args:
        audit: where they are written.
        clock: tells when.
        new_id: names them.
    """

    def __init__(self, audit: AuditLog, clock: Clock, new_id: IdSource) -> None:
        self._audit = audit
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, tool: str, context: CallContext, decision: ToolDecision) -> None:
        """Write down what was decided on a call of `tool`; of one that is let through `context` knows by what.

        Raises:
            UpstreamDown: when it cannot be written; the effect must not happen then.
        """
        await self._audit.note(
            AuditEvent(
                event_id=self._new_id(),
                org_id=context.principal.org_id,
                user_id=context.principal.user_id,
                tool=tool,
                origin=context.origin,
                allowed=decision.allowed,
                reason=decision.reason,
                policies=decision.policies,
                at=self._clock.now(),
            )
        )
