"""What is wrong with a value, in words that a model can act on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError
from referencing import Registry

from tool_executor.domain.tool_definition import JsonObject

_SHOWN = 5
_NAMED = 64
_MESSAGE_CHARS = 200
_TYPES: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


def validator_of(schema: JsonObject) -> Draft202012Validator:
    """Return what holds values to `schema`. What has too many items or fields is not looked into."""
    # An empty registry: a reference to an address is an error, never a request to that address.
    return cast("Draft202012Validator", _VALIDATOR(schema, registry=Registry[object]()))


def complaints(validator: Draft202012Validator, value: object) -> list[str]:
    """Return what of `value` does not fit, each as `<where>: <what>`; at most some of it. Empty when it fits."""
    errors = cast("Iterable[ValidationError]", cast("Any", validator).iter_errors(value))
    first = sorted(islice(errors, _SHOWN + 1), key=lambda error: [str(part) for part in error.absolute_path])
    told = list(dict.fromkeys(f"{_path(error)}: {_complaint(error)}" for error in first))
    return [*told[:_SHOWN], "and more"] if len(told) > _SHOWN else told


def _unless_too_many(keyword: str, limit: str, kind: type) -> Callable[..., Iterator[ValidationError]]:
    """Return `keyword` of JSON Schema for values that have no more parts than `limit` says; that one tells the rest."""
    whole = cast("Callable[..., Iterable[ValidationError] | None]", Draft202012Validator.VALIDATORS[keyword])

    def check(validator: object, expected: object, value: Any, schema: JsonObject) -> Iterator[ValidationError]:
        most = cast("float", schema.get(limit, math.inf))
        if not isinstance(value, kind) or len(cast("Sequence[object]", value)) <= most:
            yield from whole(validator, expected, value, schema) or ()

    return check


_VALIDATOR = cast(
    "Callable[..., object]",
    cast("Any", validators).extend(
        Draft202012Validator,
        {
            "items": _unless_too_many("items", "maxItems", list),
            "properties": _unless_too_many("properties", "maxProperties", dict),
            "additionalProperties": _unless_too_many("additionalProperties", "maxProperties", dict),
        },
    ),
)


def _path(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "arguments"


def _complaint(error: ValidationError) -> str:
    expected = cast("object", error.validator_value)
    given = cast("object", error.instance)
    limits = {
        "maxLength": "long",
        "maxItems": "long",
        "maxProperties": "long",
        "minLength": "short",
        "minItems": "short",
    }
    told = error.message[:_MESSAGE_CHARS]
    match error.validator:
        case "required" if isinstance(given, Mapping):
            names = cast("Sequence[str]", expected)
            told = f"{_listed(name for name in names if name not in given)} must be given"
        case "additionalProperties" if isinstance(given, Mapping):
            known = cast("Mapping[str, object]", cast("JsonObject", error.schema).get("properties", {}))
            unknown = (name for name in cast("JsonObject", given) if name not in known)
            told = f"unknown {_listed(unknown, _SHOWN)}; known: {_listed(known)}"
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


def _listed(items: Iterable[object], most: int = _NAMED) -> str:
    found = [f"{str(item)[:64]!r}" for item in islice(items, most + 1)]
    return ", ".join(found[:most]) + " and more" * (len(found) > most) or "nothing"
