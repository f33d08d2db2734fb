"""Calls of tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from orchestrator.domain.tools import ToolOutcome


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call: `request_id` is `run:step:tool_call`, so that the executor makes it once; `timeout_s` bounds it."""

    tool: str
    arguments_json: str
    request_id: str
    timeout_s: float
    time_zone: str


class ToolRunner(Protocol):
    """Runs tools through the tool executor."""

    async def run(self, request: ToolRequest) -> ToolOutcome:
        """Run a tool and return how it ended; a failing tool is an outcome.

        Raises:
            NexusError: when the tool was not run: NotFound, PreconditionFailed (TOOL_DISABLED), UpstreamDown,
                DeadlineExceeded.
        """
        ...
