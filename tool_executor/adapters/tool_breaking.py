"""Decorator of the tool port: a tool that keeps failing is left alone for a while."""

from __future__ import annotations

from shared.errors import UpstreamDown
from shared.telemetry.logging import get_logger
from tool_executor.adapters.breaker_board_memory import MemoryBreakerBoard
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool import Tool

_log = get_logger(__name__)
_SAYS_NOTHING = (ToolStatus.INVALID_ARGUMENTS, ToolStatus.TIMEOUT)
_LEAST_WAIT_S = 1.0


class BreakingTool:
    """Refuses calls of an organisation for which the tool broke too often, and lets one through now and then.

    What counts is `ToolFailure.broken`: never a caller's arguments, a caller's short time limit or a program's own
    failure. A call that was refused further in says nothing either.
    """

    def __init__(self, tool: Tool, board: MemoryBreakerBoard) -> None:
        self._tool = tool
        self._board = board

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            UpstreamDown: TOOL_BROKEN while the breaker is open, with the time of the next trial.
        """
        name, org_id, board = self.definition.name, call.principal.org_id, self._board
        permit = board.lend(org_id, name)
        if permit is None:
            raise self._broken(org_id)
        try:
            output = await self._tool.run(arguments, call)
        except ToolFailure as failure:
            if failure.broken:
                if board.failed(org_id, name, permit):
                    _log.warning("tool_breaker_opened", tool=name, org_id=org_id, reason=failure.reason)
            elif failure.status in _SAYS_NOTHING:
                board.returned(org_id, name, permit)
            else:
                board.succeeded(org_id, name, permit)
            raise
        except BaseException:
            board.returned(org_id, name, permit)
            raise
        board.succeeded(org_id, name, permit)
        return output

    def _broken(self, org_id: str) -> UpstreamDown:
        name = self.definition.name
        wait_s = max(_LEAST_WAIT_S, self._board.opens_in_s(org_id, name))
        return UpstreamDown(
            "TOOL_BROKEN",
            f"The tool {name!r} failed too often and is not called for now. It is tried again in {wait_s:.0f} s; do "
            "without it until then.",
            metadata={"tool": name},
            retry_after_s=wait_s,
        )
