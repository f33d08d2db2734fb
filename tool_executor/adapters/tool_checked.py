"""Decorator of the tool port: arguments and output fit the tool's JSON Schemas (Draft 2020-12)."""

from __future__ import annotations

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from shared.errors import PreconditionFailed
from shared.telemetry.logging import get_logger
from tool_executor.adapters.schema_words import complaints, validator_of
from tool_executor.domain.output_limit import encode
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool import Tool
from tool_executor.use_cases.off_loop import off_loop

_log = get_logger(__name__)


class CheckedTool:
    """Compiles the tool's schemas once and holds each call to them.

    Raises:
        PreconditionFailed: with reason TOOL_SCHEMA_INVALID when a schema is no valid one, or not one of an object.
    """

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._input = _compiled(tool.definition, "input_schema", tool.definition.input_schema)
        self._output = _compiled(tool.definition, "output_schema", tool.definition.output_schema)

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._tool.definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Run the tool.

        Raises:
            ToolFailure: ARGUMENTS_INVALID, naming each field that is wrong; TOOL_OUTPUT_INVALID, a defect of the tool.
        """
        wrong = await off_loop(arguments, lambda: complaints(self._input, arguments))
        if wrong:
            raise invalid_arguments("ARGUMENTS_INVALID", f"The arguments do not fit: {'; '.join(wrong)}.")
        output = await self._tool.run(arguments, call)
        await self._check(output.value)
        return output

    async def _check(self, value: JsonObject) -> None:
        try:
            await off_loop(value, lambda: encode(value))
            wrong = await off_loop(value, lambda: complaints(self._output, value))
        except (TypeError, ValueError) as error:
            wrong = [str(error)]
        if wrong:
            name = self.definition.name
            _log.error("tool_output_invalid", tool=name, fields=[text.partition(":")[0] for text in wrong])
            raise ToolFailure(
                "TOOL_OUTPUT_INVALID",
                f"The tool {name!r} gave an output that does not fit its schema, which is a defect of the tool.",
            )


def _compiled(definition: ToolDefinition, which: str, schema: JsonObject) -> Draft202012Validator:
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise PreconditionFailed(
            "TOOL_SCHEMA_INVALID", f"{which} of the tool {definition.name!r} is no JSON Schema: {error.message[:200]}."
        ) from error
    if schema.get("type") != "object":
        raise PreconditionFailed(
            "TOOL_SCHEMA_INVALID", f"{which} of the tool {definition.name!r} must be the schema of an object."
        )
    return validator_of(schema)
