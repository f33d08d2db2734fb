"""The agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from gateway.mcp_server.domain.question import Question
from gateway.mcp_server.domain.run_event import RunEvent


class Agent(Protocol):
    """Answers questions on behalf of the current principal."""

    def ask(self, question: Question, request_id: str) -> AsyncGenerator[RunEvent, None]:
        """Start a run and tell what happens, `Began` first; the run of an equal `request_id` is followed again.

        Raises:
            NexusError: There is no run, or it cannot be followed any more.
        """
        ...

    async def cancel(self, run_id: str) -> None:
        """Cancel a run. Idempotent.

        Raises:
            NexusError: Forbidden, NotFound, UpstreamDown.
        """
        ...
