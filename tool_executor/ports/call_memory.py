"""Remembers calls, so that one that is repeated happens once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from tool_executor.domain.tool_call import ToolResult
from tool_executor.domain.tool_definition import SideEffect, ToolDefinition

Work = Callable[[], Awaitable[ToolResult]]


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """A call under an organisation's idempotency key.

    Args:
        org_id: whose key.
        request_id: the key.
        tool: the tool's name.
        fingerprint: of everything that the result depends on.
    """

    org_id: str
    request_id: str
    tool: str
    fingerprint: bytes


class CallMemory(Protocol):
    """Runs a call once per key."""

    async def once(self, call: KeyedCall, work: Work) -> ToolResult:
        """Return the result of the first call under the key: start it when there is none, wait while it runs.

        A first call that is refused (raises a NexusError) is forgotten. Work is stopped when the last caller that waits
        for it leaves.

        Args:
            call: the call.
            work: does it.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED when the first call under the key had another fingerprint.
            NexusError: what `work` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class CallMemories:
    """Which memory a call is for.

    Args:
        reads: of calls without effects; may forget, since they can be done again.
        effects: of calls with effects; survives a restart.
    """

    reads: CallMemory
    effects: CallMemory

    def of(self, tool: ToolDefinition) -> CallMemory:
        """Return the memory for calls of `tool`."""
        return self.reads if tool.side_effect is SideEffect.READ else self.effects
