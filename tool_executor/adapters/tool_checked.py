"""Decorator of the tool port: arguments and output fit the tool's JSON Schemas (Draft 2020-12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry

from shared.errors import PreconditionFailed
from shared.telemetry.logging import get_logger
from tool_executor.domain.output_limit import encode
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.tool import Tool

_log = get_logger(__name__)
_SHOWN = 5
_MESSAGE_CHARS = 200
_TYPES: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


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
        wrong = _words(self._input, arguments)
        if wrong:
            raise invalid_arguments("ARGUMENTS_INVALID", f"The arguments do not fit: {'; '.join(wrong)}.")
        output = await self._tool.run(arguments, call)
        self._check(output.value)
        return output

    def _check(self, value: JsonObject) -> None:
        try:
            encode(value)
            wrong = _words(self._output, value)
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
    # An empty registry: a reference to an address is an error, never a request to that address.
    return Draft202012Validator(schema, registry=Registry())


def _words(validator: Draft202012Validator, value: JsonObject) -> list[str]:
    errors = cast("Iterable[ValidationError]", cast("Any", validator).iter_errors(value))
    ordered = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    told = list(dict.fromkeys(f"{_path(error)}: {_complaint(error)}" for error in ordered))
    return [*told[:_SHOWN], f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else told


def _path(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "arguments"


def _complaint(error: ValidationError) -> str:
    expected = cast("object", error.validator_value)
    given = cast("object", error.instance)
    limits = {"maxLength": "long", "maxItems": "long", "minLength": "short", "minItems": "short"}
    told = error.message[:_MESSAGE_CHARS]
    match error.validator:
        case "required" if isinstance(given, Mapping):
            names = cast("Sequence[str]", expected)
            told = f"{_listed(name for name in names if name not in given)} must be given"
        case "additionalProperties" if isinstance(given, Mapping):
            known = cast("Mapping[str, object]", cast("JsonObject", error.schema).get("properties", {}))
            unknown = [name for name in cast("JsonObject", given) if name not in known]
            told = f"unknown {_listed(unknown)}; known: {_listed(known)}"
        case "type":
            told = f"must be of type {expected}, not {_TYPES.get(type(given), 'null')}"
        case "enum":
            told = f"must be one of {_listed(cast('Sequence[object]', expected))}"
        case "pattern":
            told = f"{str(given)[:64]!r} does not match {expected}"
        case str(limit) if limit in limits:
            told = f"is too {limits[limit]}, the limit is {expected}"
        case _:
            pass
    return told


def _listed(items: Iterable[object]) -> str:
    return ", ".join(f"{str(item)[:64]!r}" for item in items) or "nothing"
