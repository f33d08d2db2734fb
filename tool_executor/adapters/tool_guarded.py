"""Decorator of the tool port: whatever a tool does, its call ends in time and with an outcome that can be told."""

from __future__ import annotations

import asyncio

from shared.errors import DeadlineExceeded, Internal, InvalidInput, NexusError, UpstreamDown
from shared.telemetry.logging import get_logger
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool import Tool

_log = get_logger(__name__)
_GRACE_S = 2.0


class GuardedTool:
    """Runs the tool in a task of its own, ends it at the time limit, and tells a crash from a failure.

    Errors of services that the tool used become its outcome, with their reason, so that the model can go on without it.
    """

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._stuck: set[asyncio.Task[ToolOutput]] = set()

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool for at most `call.timeout_s` seconds.

        Raises:
            ToolFailure: its own; or TOOL_TIMEOUT, TOOL_CRASHED, or the reason of the service that failed it.
        """
        name = self.definition.name
        task = asyncio.create_task(self._tool.run(arguments, call), name=f"tool-{name}")
        try:
            in_time, _ = await asyncio.wait({task}, timeout=call.timeout_s)
        finally:
            await self._end(task)
        if not in_time:
            raise ToolFailure(
                "TOOL_TIMEOUT",
                f"The tool {name!r} did not end within {call.timeout_s:g} s and was stopped. Ask for less at once.",
                status=ToolStatus.TIMEOUT,
                broken=self._had_its_time(call),
            )
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            return task.result()
        raise self._outcome(error, call) from error

    async def _end(self, task: asyncio.Task[ToolOutput]) -> None:
        if task.done():
            return
        task.cancel()
        await asyncio.wait({task}, timeout=_GRACE_S)
        if not task.done():
            _log.error("tool_ignores_cancellation", tool=self.definition.name)
            self._stuck.add(task)
            task.add_done_callback(self._stuck.discard)

    def _had_its_time(self, call: CallContext) -> bool:
        """Return whether a time that was too short was the tool's own, and not one that the caller set."""
        return call.timeout_s >= self.definition.timeout_s

    def _outcome(self, error: BaseException, call: CallContext) -> ToolFailure:
        name = self.definition.name
        if isinstance(error, ToolFailure):
            return error
        if isinstance(error, NexusError) and not isinstance(error, Internal):
            status, broken = ToolStatus.ERROR, isinstance(error, UpstreamDown)
            if isinstance(error, InvalidInput):
                status = ToolStatus.INVALID_ARGUMENTS
            elif isinstance(error, DeadlineExceeded):
                status, broken = ToolStatus.TIMEOUT, self._had_its_time(call)
            return ToolFailure(error.reason, error.message, status=status, broken=broken)
        _log.error("tool_crashed", tool=name, exc_info=error)
        return ToolFailure(
            "TOOL_CRASHED",
            f"The tool {name!r} failed by a defect of its own, which the log describes. Trying again hardly helps.",
            broken=True,
        )
