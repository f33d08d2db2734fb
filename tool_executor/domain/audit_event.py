"""What was refused, and what was done to the world or to what tools there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tool_executor.domain.tool_call import CallOrigin


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One call that was refused, or that has an effect; written before the effect. Never holds arguments or results.

    Or an MCP server that was registered, tried or forgotten: `tool` is `mcp:` and its name, `reason` says which.

    Args:
        event_id: UUIDv7.
        org_id: whose call.
        user_id: on whose behalf.
        tool: the tool's name, or `mcp:<server>`.
        origin: what the call was part of.
        allowed: whether it was let through.
        reason: why not, or what was changed; empty for a call that was let through.
        policies: names of what decided.
        at: when.
    """

    event_id: str
    org_id: str
    user_id: str
    tool: str
    origin: CallOrigin
    allowed: bool
    reason: str
    policies: tuple[str, ...]
    at: datetime
