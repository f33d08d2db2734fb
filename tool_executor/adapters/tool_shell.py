"""The tool `shell`: runs a command line in the sandbox."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.adapters.tool_execute_code import loads_of
from tool_executor.domain.code_outcome import output_of
from tool_executor.domain.code_run import CodeLanguage, without_fence
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.use_cases.run_code import CodeOrder, RunCode


class ShellTool:
    """Runs a command line over the files that execute_code has in the same conversation.

    Args:
        run_code: runs it in isolation.
    """

    def __init__(self, run_code: RunCode) -> None:
        self._run_code = run_code
        self._definition = load_definition("shell")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the command line of `arguments`. Cancelling the call kills it.

        Raises:
            ToolFailure: as `output_of`, and ARTIFACTS_TOO_LARGE.
            NexusError: what the sandbox refuses, for example ISOLATION_UNAVAILABLE with the remedy.
        """
        order = CodeOrder(
            without_fence(cast("str", arguments["command"])),
            CodeLanguage.SHELL,
            cast("str", arguments.get("stdin", "")),
            loads_of(arguments),
        )
        return output_of(await self._run_code(self._definition.name, order, call))
