"""The tool `execute_code`: runs a program in the sandbox."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.code_run import Program, failure_reason, told, without_fence
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.code_runner import CodeRunner

_MARGIN_S = 2.0
"""Time that starting and reporting a run may take beside the program itself."""
_LEAST_WALL_S = 0.2


class ExecuteCodeTool:
    """Runs a Python program and tells what it printed.

    Args:
        runner: runs it in isolation.
        wall_time_s: longest time that a program may take.
    """

    def __init__(self, runner: CodeRunner, *, wall_time_s: float) -> None:
        self._runner = runner
        self._wall_time_s = wall_time_s
        self._definition = load_definition("execute_code")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the program of `arguments`. Cancelling the call kills it.

        Raises:
            ToolFailure: CODE_FAILED, CODE_TIMEOUT, CODE_OUT_OF_MEMORY, CODE_OUTPUT_LIMIT or CODE_KILLED, with what
                the program printed.
            NexusError: what the sandbox refuses, for example ISOLATION_UNAVAILABLE with the remedy.
        """
        run = await self._runner.run(
            Program(
                code=without_fence(cast("str", arguments["code"])),
                stdin=cast("str", arguments.get("stdin", "")),
                wall_time_s=min(self._wall_time_s, max(_LEAST_WALL_S, call.timeout_s - _MARGIN_S)),
                timeout_s=call.timeout_s + _MARGIN_S,
                request_id=call.request_id,
            )
        )
        value: JsonObject = {
            "stdout": run.stdout,
            "stderr": run.stderr,
            "status": run.status.value,
            "exit_code": run.exit_code,
            "wall_time_s": round(run.wall_time_s, 3),
        }
        reason = failure_reason(run.status)
        if reason is not None:
            raise ToolFailure(reason, told(run), value=value)
        return ToolOutput(value, told(run))
