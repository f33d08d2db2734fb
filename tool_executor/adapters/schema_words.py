"""What is wrong with a value, in words that a model can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tool_executor.domain.tool_definition import JsonObject

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


def complaints(validator: Draft202012Validator, value: object) -> list[str]:
    """Return what of `value` does not fit, each as `<where>: <what>`; at most some of it. Empty when it fits."""
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
