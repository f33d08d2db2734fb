"""Decorator of the tool port: arguments and output fit schemas that a stranger wrote, as far as that costs little."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property

from jsonschema import Draft202012Validator

from shared.telemetry.logging import get_logger
from tool_executor.adapters.schema_words import complaints, validator_of
from tool_executor.domain.mcp_schema import checkable
from tool_executor.domain.output_limit import encode
from tool_executor.domain.schema_cost import costs_at_most
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool import Tool
from tool_executor.use_cases.off_loop import off_loop

_log = get_logger(__name__)
_AT_ONCE = 400
"""Units of work, see `schema_cost`, that are done on the event loop; more are done in a thread."""
_MOST_WORK = 30_000
"""Units of work that are done at all; what would be more is left to the server to check."""


@dataclass(frozen=True, slots=True)
class _Gate:
    validator: Draft202012Validator
    schema: JsonObject

    async def complaints(self, value: JsonObject) -> list[str]:
        """Return what does not fit, or nothing when finding out would cost too much."""
        if costs_at_most(self.schema, value, _AT_ONCE):
            return complaints(self.validator, value)
        return await asyncio.to_thread(self._complaints, value)

    def _complaints(self, value: JsonObject) -> list[str]:
        return complaints(self.validator, value) if costs_at_most(self.schema, value, _MOST_WORK) else []


class GatedTool:
    """Holds each call to the reductions of the tool's schemas, see `mcp_schema`.

    They are made at the first call: most of hundreds of tools are never called.
    """

    def __init__(self, tool: Tool) -> None:
        self._tool = tool

    @cached_property
    def _input(self) -> _Gate:
        return _gate(self._tool.definition.input_schema)

    @cached_property
    def _output(self) -> _Gate:
        return _gate(self._tool.definition.output_schema)

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            ToolFailure: ARGUMENTS_INVALID, naming each field that is wrong; TOOL_OUTPUT_INVALID, a defect of the tool.
        """
        wrong = await self._input.complaints(arguments)
        if wrong:
            raise invalid_arguments("ARGUMENTS_INVALID", f"The arguments do not fit: {'; '.join(wrong)}.")
        output = await self._tool.run(arguments, call)
        try:
            await off_loop(output.value, lambda: encode(output.value))
            wrong = await self._output.complaints(output.value)
        except (TypeError, ValueError) as error:
            wrong = [str(error)]
        if wrong:
            name = self.definition.name
            _log.warning("tool_output_invalid", tool=name, fields=[text.partition(":")[0] for text in wrong])
            raise ToolFailure(
                "TOOL_OUTPUT_INVALID",
                f"The tool {name!r} gave an output that does not fit its schema, which is a defect of the tool.",
            )
        return output


def _gate(schema: JsonObject) -> _Gate:
    reduced, _ = checkable(schema)
    return _Gate(validator_of(reduced), reduced)
