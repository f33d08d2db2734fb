"""Remembers calls, so that one that is repeated happens once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tool_executor.domain.tool_call import ToolResult


@dataclass(frozen=True, slots=True)
class CallKey:
    """Names a call: an organisation's idempotency key."""

    org_id: str
    request_id: str


class CallMemory(Protocol):
    """Runs a call once per key."""

    async def once(self, key: CallKey, fingerprint: bytes, work: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
        """Return the result of the first call under `key`: start it when there is none, wait while it runs.

        A first call that raises is forgotten. Work is stopped when the last caller that waits for it leaves.

        Args:
            key: whose call it is.
            fingerprint: of everything that the result depends on.
            work: does the call.

        Raises:
            AlreadyExists: with reason REQUEST_ID_REUSED when the first call had another fingerprint.
            NexusError: what `work` raises.
        """
        ...
