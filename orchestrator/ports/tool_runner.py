"""Calls of tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.tools import ANYWHERE, Origin, ToolOutcome


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call: the executor makes it once for each `request_id`, `run:step:tool_call`; `timeout_s` bounds the tool.

    The call as a whole may take a few seconds more: for a service that is being restarted, and for its word on a tool
    that took too long. `origin` says what the call is part of.
    """

    tool: str
    arguments_json: str
    request_id: str
    timeout_s: float
    time_zone: str
    origin: Origin = ANYWHERE


class ToolRunner(Protocol):
    """Runs tools through the tool executor."""

    async def run(self, request: ToolRequest) -> ToolOutcome:
        """Run a tool and return how it ended; a failing tool is an outcome.

        Raises:
            NexusError: when the tool was not run: NotFound, PreconditionFailed (TOOL_DISABLED), Forbidden
                (TOOL_BLOCKED), UpstreamDown, DeadlineExceeded.
        """
        ...
