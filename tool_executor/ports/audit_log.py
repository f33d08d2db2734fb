"""Where refusals and effects are written down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.domain.audit_event import AuditEvent


class AuditLog(Protocol):
    """Keeps events per organisation, within bounds: the oldest go first, refusals and effects each among themselves."""

    async def note(self, event: AuditEvent) -> None:
        """Write `event` down; it outlives this process when this returns.

        Raises:
            UpstreamDown: when it cannot be written, for example on a full disk; the effect must not happen then.
        """
        ...

    async def page(self, org_id: str, *, refused_only: bool, before: str, size: int) -> Sequence[AuditEvent]:
        """Return at most `size` events of `org_id`, the newest first, older than the event `before` (empty: all).

        Raises:
            UpstreamDown: when they cannot be read.
        """
        ...
